import type { APIKey, APIKeyStatus } from '../../api/v1alpha1/apikey.ts'
import { planSuccession } from '../../domain/rotation.ts'
import type { Outcome, ReconcileEvent } from '../../k8s/reconciler.ts'
import { secondsTime } from '../../k8s/status.ts'
import { kekOf, type OperatorDependencies } from '../dependencies.ts'
import { importChanges, type Moment, mint, reseal, type SecretChanges } from './change.ts'
import type { Seen } from './look.ts'
import { recoverSecrets } from './recover.ts'
import { rotationRule } from './status.ts'

/** What is to become of a key's secrets: imported, recovered, minted, retired, ended. Writes nothing. */
export async function planChanges(
  deps: OperatorDependencies,
  apiKey: APIKey,
  seen: Seen,
  moment: Moment,
): Promise<SecretChanges | Outcome<APIKeyStatus>> {
  if (apiKey.spec.digest) return importChanges(apiKey.spec.digest.sha256, seen.secrets, moment)
  const recovered = await recoverSecrets(deps, apiKey, seen, moment)
  if ('outcome' in recovered) return recovered
  const { secrets, changes } = recovered
  if (moment.expired) return changes
  const plan = planSuccession({
    secrets,
    now: moment.now,
    rotation: rotationRule(apiKey),
    requested: moment.requested,
    compromisedBefore: moment.compromisedBefore,
  })
  const update = plan.retire.map(({ id, expiresAt }) => ({ id, values: { expiresAt } }))
  const { apiKeyPrefix } = seen.organization
  // Asked for when something is to be wrapped: what is in force needs no right to wrap.
  const kek = () => kekOf(deps, seen.organization)
  const insert = plan.mint ? [await mint(deps, apiKey, kek(), apiKeyPrefix, moment)] : []
  const moved =
    plan.current === undefined
      ? []
      : await reseal(deps, apiKey, kek, moment.id, secrets, plan.current)
  const rotated = plan.mint && secrets.length > 0
  return {
    ...changes,
    insert: [...changes.insert, ...insert],
    update: [...changes.update, ...update, ...moved],
    remove: [...changes.remove, ...plan.drop],
    verbs: [
      ...changes.verbs,
      ...(plan.mint ? [rotated ? 'rotated' : 'minted'] : []),
      ...(plan.drop.length > 0 ? ['secret_ended'] : []),
      ...(moved.length > 0 ? ['resealed'] : []),
    ],
    events: rotated ? [rotatedEvent(plan.retire[0]?.expiresAt)] : [],
    prefix: plan.mint ? apiKeyPrefix : changes.prefix,
  }
}

function rotatedEvent(formerEnds: Date | undefined): ReconcileEvent {
  const note = formerEnds
    ? `The key was rotated; the former one works until ${secondsTime(formerEnds)}.`
    : 'The key was rotated; the former one is refused from now on.'
  return { type: 'Normal', reason: 'KeyRotated', action: 'Rotate', note }
}
