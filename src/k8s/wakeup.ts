import { type CustomResource, conditionOf, type KubeObject } from './object.ts'
import type { Change } from './store.ts'

/**
 * What a change of an object calls for. Both are pure, and both leave out what our own status writes
 * cause: otherwise each pass would wake the next.
 */

/** Whether the object itself must be reconciled; undefined when not, otherwise why. */
export function wakesItself({ object, previous, deleted }: Change<KubeObject>, group: string) {
  if (deleted) return undefined
  if (previous === undefined) return 'added'
  const [was, is] = [previous.metadata, object.metadata]
  if (was.generation !== is.generation) return 'spec changed'
  if (was.deletionTimestamp !== is.deletionTimestamp) return 'deleted'
  if (requests(previous, group) !== requests(object, group)) return 'requested'
  // Somebody took a finalizer away by hand: ours must be put back.
  if (lostFinalizer(was, is, group)) return 'finalizer removed'
  return undefined
}

/** Whether what refers to the object must be reconciled. */
export function wakesReferrers({ object, previous, deleted, own }: Change<KubeObject>): boolean {
  if (deleted || previous === undefined) return !own
  const [was, is] = [previous.metadata, object.metadata]
  if (was.deletionTimestamp !== is.deletionTimestamp) return true
  // A Secret has no generation: all of it is content.
  if (is.generation === undefined) return !own
  return judgement(previous) !== judgement(object)
}

/**
 * Whether it is Ready, and for which spec. A changed spec counts once it has been reconciled:
 * before that there is nothing for others to see, and they would all be woken twice.
 */
function judgement(object: KubeObject): string {
  const observed = (object as CustomResource).status?.observedGeneration
  return `${conditionOf(object, 'Ready')?.status} ${observed}`
}

/** The annotations of our group, as one string: they are how people ask for a pass. */
function requests(object: KubeObject, group: string): string {
  const entries = Object.entries(object.metadata.annotations ?? {})
  return JSON.stringify(entries.filter(([name]) => name.startsWith(`${group}/`)))
}

function lostFinalizer(
  was: KubeObject['metadata'],
  is: KubeObject['metadata'],
  group: string,
): boolean {
  const ours = was.finalizers?.find((name) => name.startsWith(`${group}/`))
  return ours !== undefined && !is.finalizers?.includes(ours) && is.deletionTimestamp === undefined
}
