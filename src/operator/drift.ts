import type { RecordAction } from '../domain/record.ts'
import type { ReconcileEvent } from '../k8s/reconciler.ts'
import type { OperatorDependencies } from './dependencies.ts'

/** The event, and the count, of a record that somebody changed behind the resource's back; nothing for other actions. */
export function driftEvents(
  deps: Pick<OperatorDependencies, 'repaired'>,
  object: { readonly kind: string },
  action: RecordAction,
): ReconcileEvent[] {
  if (action.action !== 'update' || action.why !== 'drifted') return []
  return [
    repairEvent(
      deps,
      object.kind,
      'row',
      `The record differed from the spec in ${action.fields.join(', ')} and was repaired.`,
    ),
  ]
}

/** Counts a repair and says what was repaired. */
export function repairEvent(
  deps: Pick<OperatorDependencies, 'repaired'>,
  kind: string,
  where: 'row' | 'secret',
  note: string,
): ReconcileEvent {
  deps.repaired(kind, where)
  return { type: 'Warning', reason: 'DriftRepaired', action: 'Repair', note }
}
