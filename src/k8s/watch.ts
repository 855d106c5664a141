import type { KubeClient, Selection } from './client.ts'
import { backoff, type Clock, type Random, sleep } from './clock.ts'
import { ApiError, isGone, TransportError } from './errors.ts'
import type { KubeObject, ResourceKind } from './object.ts'
import type { Logger } from './reconciler.ts'
import { pageSizeOf, retained } from './retain.ts'
import type { ObjectStore } from './store.ts'

export interface ReflectorOptions<T extends KubeObject> {
  readonly client: Pick<KubeClient, 'list' | 'watch'>
  readonly kind: ResourceKind
  readonly selection: Selection
  readonly store: ObjectStore<T>
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly observer: ReflectorObserver
  readonly timings?: Partial<ReflectorTimings>
}

/** Told what a reflector does; see metrics.ts. */
export interface ReflectorObserver {
  listed(): void
  failed(): void
}

/** All in milliseconds. */
export interface ReflectorTimings {
  /** How long the server is asked to keep a watch open; up to a third is added by chance. */
  readonly watch: number
  /** How much longer than that a watch may take before it counts as dead. */
  readonly grace: number
  readonly backoff: { readonly base: number; readonly max: number }
}

/**
 * The worst silent stall is noticed after 40 + 5 s. The server sends bookmarks but once a minute, so
 * silence alone says nothing, but a healthy server always ends a watch when it said it would.
 */
const TIMINGS: ReflectorTimings = {
  watch: 30_000,
  grace: 5000,
  backoff: { base: 500, max: 20_000 },
}

/** After so many failures of a watch in a row the list is fetched anew, whatever the failure. */
const FAILURES_TO_RELIST = 3

/**
 * Keeps a store equal to what the API server has, of one kind and selection: lists, then watches
 * from there, for as long as it runs, through every error. A list that fails midway changes nothing.
 */
export class Reflector<T extends KubeObject> {
  readonly #options: ReflectorOptions<T>
  readonly #timings: ReflectorTimings
  #version: string | undefined
  /** The last version seen, kept when the list is to be fetched anew. */
  #lastVersion: string | undefined
  #failures = 0
  #synced = false
  #lastSeen: number | undefined

  constructor(options: ReflectorOptions<T>) {
    this.#options = options
    this.#timings = { ...TIMINGS, ...options.timings }
  }

  /** Whether a whole list has been taken in. */
  get hasSynced(): boolean {
    return this.#synced
  }

  /** When the server was last heard of, in milliseconds since the epoch. */
  get lastSeen(): number | undefined {
    return this.#lastSeen
  }

  /** Runs until the signal is aborted; never throws. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        this.#version ??= await this.#list(signal)
        this.#version = await this.#watch(this.#version, signal)
      } catch (error) {
        if (signal.aborted) return
        await this.#failed(error, signal)
      }
    }
  }

  async #list(signal: AbortSignal): Promise<string> {
    const { client, kind, selection, store, observer } = this.#options
    observer.listed()
    const items: T[] = []
    let next: string | undefined
    let resourceVersion: string
    do {
      const query = { ...selection, limit: pageSizeOf(kind), continue: next }
      const page = await client.list<T>(kind, query, { signal, attempts: 1 })
      this.#heard()
      for (const item of page.items) items.push(retained(item, kind))
      next = page.continue
      resourceVersion = page.resourceVersion
    } while (next !== undefined)
    const how = { initial: !this.#synced, since: this.#lastVersion }
    store.replace(selection.namespace, { items, resourceVersion }, how)
    this.#synced = true
    this.#lastVersion = resourceVersion
    return resourceVersion
  }

  /** Watches once; the version to go on from, when the server ends the watch in good order. */
  async #watch(from: string, signal: AbortSignal): Promise<string> {
    const { client, kind, selection, store, clock, random } = this.#options
    const time = this.#timings.watch * (1 + random() / 3)
    const watching = new AbortController()
    const stop = (): void => watching.abort()
    signal.addEventListener('abort', stop)
    const cancel = clock.after(time + this.#timings.grace, stop)
    const opened = clock.monotonic()
    try {
      const timeoutSeconds = Math.ceil(time / 1000)
      const query = { ...selection, resourceVersion: from, timeoutSeconds }
      const events = await client.watch<T>(kind, query, watching.signal)
      for await (const event of events) {
        this.#heard()
        this.#failures = 0
        if (event.type !== 'BOOKMARK') store.receive(event)
        this.#version =
          event.type === 'BOOKMARK' ? event.resourceVersion : event.object.metadata.resourceVersion
        this.#lastVersion = this.#version
      }
    } catch (error) {
      if (watching.signal.aborted && !signal.aborted) throw stalled(kind)
      throw error
    } finally {
      cancel()
      signal.removeEventListener('abort', stop)
      watching.abort()
    }
    this.#heard()
    // A server that ends watches at once must not be asked twenty times a second.
    if (clock.monotonic() - opened < 1000) throw new TransportError(`watch ${kind.plural}`, 'EEND')
    this.#failures = 0
    return this.#version ?? from
  }

  async #failed(error: unknown, signal: AbortSignal): Promise<void> {
    const { clock, random, logger, observer, kind, selection } = this.#options
    this.#failures += 1
    if (isGone(error) || this.#failures % FAILURES_TO_RELIST === 0 || isRefused(error)) {
      this.#version = undefined
    }
    observer.failed()
    // A resource version that is too old is the ordinary end of a long silence: go on at once.
    const once = isGone(error) && this.#failures === 1
    const delay = once ? 0 : backoff(this.#failures - 1, this.#timings.backoff, random)
    const fields = { err: error, kind: kind.kind, ...selection, retryInMs: Math.round(delay) }
    logger.warn(fields, 'The watch was interrupted and is taken up again.')
    await sleep(clock, delay, signal)
  }

  #heard(): void {
    this.#lastSeen = this.#options.clock.now()
  }
}

/** A 4xx other than "too many requests": asking the same again cannot help, a list may. */
function isRefused(error: unknown): boolean {
  return (
    error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 429
  )
}

function stalled(kind: ResourceKind): TransportError {
  return new TransportError(`watch ${kind.plural}`, 'ESTALLED')
}
