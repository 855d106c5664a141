import { type KubeObject, objectKey } from './object.ts'
import type { WatchEvent } from './watchstream.ts'

/** A change of the cache. `previous` is undefined when the object was not there. */
export interface Change<T> {
  readonly object: T
  readonly previous: T | undefined
  readonly deleted: boolean
  /**
   * How a deletion is known: a watch told of it, or a list lacks the object. Without it nothing is
   * known but that the object is not there: the server was restored to a time before it was made.
   */
  readonly evidence?: 'event' | 'list' | undefined
  /** It came with the first list: it may have been there for months. */
  readonly initial: boolean
  /** It is the echo of a write of ours. */
  readonly own: boolean
}

export type ChangeHandler<T> = (change: Change<T>) => void

/** Own writes whose echo has not come. More than this are not in flight. */
const MOST_AWAITED = 4096

/**
 * The cached objects of one kind, fed by reflectors and by our own writes.
 *
 * What we wrote is in the cache when the write returns, so the next pass never works on an object
 * that is older than what the last pass made of it; and an event that is older than what is cached
 * is dropped. Resource versions are compared as the numbers that they are (KEP-5504).
 */
export class ObjectStore<T extends KubeObject> {
  readonly #objects = new Map<string, T>()
  readonly #handlers: ChangeHandler<T>[] = []
  /** The versions of our own writes of objects that were not cached yet. */
  readonly #awaited = new Map<string, string>()
  /** Keys that we are creating: the event may come before the answer. */
  readonly #creating = new Set<string>()
  readonly #onError: (error: unknown) => void
  readonly #retained: (object: T) => T

  /**
   * @param onError told of what a handler throws: it must not end the watch.
   * @param retained what is kept of an object; see retain.ts.
   */
  constructor(onError: (error: unknown) => void, retained: (object: T) => T = (object) => object) {
    this.#onError = onError
    this.#retained = retained
  }

  get size(): number {
    return this.#objects.size
  }

  get(key: string): T | undefined {
    return this.#objects.get(key)
  }

  values(): IterableIterator<T> {
    return this.#objects.values()
  }

  /** Calls the handler for every change from now on. */
  subscribe(handler: ChangeHandler<T>): void {
    this.#handlers.push(handler)
  }

  /**
   * Takes in a whole list: what is not in it is gone. Its objects are cut to what is kept already,
   * page by page: all of them whole at once might not fit into memory.
   * @param namespace the list was of this namespace only; undefined for all.
   * @param since the last version that was seen before the list. A list that is older means that
   *   the server was restored from a backup: then it, and not the cache, is right.
   */
  replace(
    namespace: string | undefined,
    list: { readonly items: readonly T[]; readonly resourceVersion: string },
    { initial, since }: { readonly initial: boolean; readonly since: string | undefined },
  ): void {
    const restored = since !== undefined && isOlder(list.resourceVersion, since)
    const keys = new Set(list.items.map(objectKey))
    for (const [key, object] of this.#objects) {
      const inScope = namespace === undefined || object.metadata.namespace === namespace
      if (inScope && !keys.has(key)) this.#remove(object, restored ? undefined : 'list')
    }
    for (const item of list.items) this.#put(item, { initial, force: restored })
  }

  /** Takes in an event of a watch. */
  receive(event: Exclude<WatchEvent<T>, { type: 'BOOKMARK' }>): void {
    const object = this.#retained(event.object)
    if (event.type !== 'DELETED') return this.#put(object, {})
    this.#awaited.delete(objectKey(object))
    const cached = this.#objects.get(objectKey(object))
    // The name may already belong to another object.
    if (cached?.metadata.uid === object.metadata.uid) this.#remove(object, 'event')
  }

  /**
   * Takes in what a write of ours returned. An object that is not cached is not added: it may have
   * been deleted meanwhile, and nothing would ever take it out again.
   */
  observe(object: T): void {
    const key = objectKey(object)
    if (this.#objects.get(key)?.metadata.uid === object.metadata.uid) {
      return this.#put(this.#retained(object), { own: true })
    }
    this.#awaited.set(key, object.metadata.resourceVersion)
    if (this.#awaited.size > MOST_AWAITED) {
      for (const oldest of this.#awaited.keys()) {
        this.#awaited.delete(oldest)
        break
      }
    }
  }

  /**
   * Creates an object that is not cached. Its event is our own write's also when it comes before the answer: if it is
   * another's, the create is refused, and whoever calls this looks at what is there.
   */
  async creating<C extends KubeObject>(key: string, create: () => Promise<C>): Promise<C> {
    this.#creating.add(key)
    try {
      return await create()
    } finally {
      this.#creating.delete(key)
    }
  }

  #put(object: T, how: { initial?: boolean; own?: boolean; force?: boolean }): void {
    const key = objectKey(object)
    const cached = this.#objects.get(key)
    if (cached !== undefined && cached.metadata.uid !== object.metadata.uid) {
      // Deleted and made again in a gap of the watch: never an update of the old one.
      if (!how.force && isOlder(object.metadata.resourceVersion, cached.metadata.resourceVersion)) {
        return
      }
      this.#remove(cached, undefined)
      return this.#put(object, how)
    }
    const { resourceVersion } = object.metadata
    if (cached !== undefined) {
      const known = cached.metadata.resourceVersion
      if (known === resourceVersion || (!how.force && isOlder(resourceVersion, known))) return
    }
    const created = cached === undefined && this.#creating.has(key)
    const own = created || (how.own ?? false) || this.#awaited.get(key) === resourceVersion
    if (own) this.#awaited.delete(key)
    this.#objects.set(key, object)
    this.#tell({ object, previous: cached, deleted: false, initial: how.initial ?? false, own })
  }

  #remove(object: T, evidence: Change<T>['evidence']): void {
    const previous = this.#objects.get(objectKey(object))
    this.#objects.delete(objectKey(object))
    this.#tell({ object, previous, deleted: true, evidence, initial: false, own: false })
  }

  #tell(change: Change<T>): void {
    for (const handler of this.#handlers) {
      try {
        handler(change)
      } catch (error) {
        this.#onError(error)
      }
    }
  }
}

/** Whether one resource version comes before another: numbers, too long for Number. */
export function isOlder(version: string, than: string): boolean {
  if (version.length !== than.length) return version.length < than.length
  return version < than
}
