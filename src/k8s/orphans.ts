import { type CustomResource, objectKey, type ResourceKind } from './object.ts'
import type { Change } from './store.ts'

/** The finalizer of all objects of a kind: `cardea.dev/apikey`. */
export function finalizerOf({ group, kind }: ResourceKind): string {
  return `${group}/${kind.toLowerCase()}`
}

/** An object that is gone, and whose finalizer somebody took away before its finalize was done. */
export interface Orphaned<T> {
  /** As it was last known. */
  readonly object: T
  /** It was merely missing from a list: the API server has yet to say that there is none. */
  readonly unconfirmed: boolean
}

/**
 * The deletions that went past the finalizer: `kubectl patch` with `finalizers: null`, the usual cure
 * for a deletion that hangs. What such an object made would be in force for ever.
 */
export class Orphans<T extends CustomResource> {
  readonly #finalizer: string
  /** The uids of those whose finalize is done and whose deletion has not been heard of. */
  readonly #finalized = new Set<string>()
  readonly #orphans = new Map<string, Orphaned<T>>()

  constructor(finalizer: string) {
    this.#finalizer = finalizer
  }

  get(key: string): Orphaned<T> | undefined {
    return this.#orphans.get(key)
  }

  /** The object's finalize is done: its deletion leaves nothing behind. */
  finalized(object: T): void {
    this.#finalized.add(object.metadata.uid)
  }

  /** Takes in a change. Whether it is a deletion that left something behind. */
  take({ object, deleted, evidence }: Change<T>): boolean {
    const key = objectKey(object)
    // Whoever has the name now takes over what is there.
    this.#orphans.delete(key)
    if (!deleted || this.#finalized.delete(object.metadata.uid)) return false
    if (evidence === undefined || !this.#wasServed(object)) return false
    this.#orphans.set(key, { object, unconfirmed: evidence === 'list' })
    return true
  }

  /** Nothing is left of it, unless another object of the name is an orphan by now. */
  settled(orphan: Orphaned<T>): void {
    const key = objectKey(orphan.object)
    this.#finalized.delete(orphan.object.metadata.uid)
    if (this.#orphans.get(key) === orphan) this.#orphans.delete(key)
  }

  /** Forgets the oldest until there are no more than `most`; answers their keys. */
  limit(most: number): readonly string[] {
    const keys = [...this.#orphans.keys()].slice(0, Math.max(this.#orphans.size - most, 0))
    for (const key of keys) this.#orphans.delete(key)
    return keys
  }

  /** A status that nobody has written has no observed generation, or -1 as the schema's default. */
  #wasServed({ metadata, status }: T): boolean {
    const finalized = metadata.finalizers?.includes(this.#finalizer) ?? false
    return finalized || (status?.observedGeneration ?? -1) >= 0
  }
}
