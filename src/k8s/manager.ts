import type { KubeClient } from './client.ts'
import { type Clock, type Random, sleep, systemClock } from './clock.ts'
import { Controller } from './controller.ts'
import { EventRecorder } from './event.ts'
import { Informer } from './informer.ts'
import { Lease, type LeaseOptions } from './lease.ts'
import type { RuntimeMetrics } from './metrics.ts'
import {
  type CustomResource,
  isReady,
  type KubeObject,
  type ResourceKind,
  referenceKey,
} from './object.ts'
import type { Priority } from './queue.ts'
import type { Logger, Reconciler } from './reconciler.ts'
import { ReferenceIndex } from './references.ts'
import type { Change, ObjectStore } from './store.ts'
import { wakesReferrers } from './wakeup.ts'
import type { ReflectorTimings } from './watch.ts'

export interface ManagerOptions {
  readonly client: KubeClient
  readonly logger: Logger
  readonly metrics: RuntimeMetrics
  /** `cardea-operator`: the field manager, and with `-status` that of the status. */
  readonly fieldManager: string
  /** This replica: its pod's name. */
  readonly identity: string
  /** The namespaces to watch; empty for all. */
  readonly namespaces?: readonly string[]
  /** Passes under way at once, for each kind. Default 16. */
  readonly concurrency?: number
  /** Default 5 minutes; ms. */
  readonly resyncInterval?: number
  /** How long a pass may take. Default 60 s; ms. */
  readonly reconcileTimeout?: number
  /** Without it this process leads alone: for tests. */
  readonly lease?: Pick<LeaseOptions, 'namespace' | 'name' | 'timings' | 'acquireFence'>
  readonly clock?: Clock
  readonly random?: Random
  readonly watchTimings?: Partial<ReflectorTimings>
}

/**
 * Runs reconcilers: caches first, then the lease, then the controllers. Register everything before
 * `start`.
 */
export class Manager {
  /** Writes with this are refused while this process does not lead. Give it to reconcilers. */
  readonly client: KubeClient
  readonly #options: ManagerOptions & { readonly clock: Clock; readonly random: Random }
  readonly #informers = new Map<string, Cache>()
  readonly #controllers = new Map<string, Work>()
  readonly #references = new ReferenceIndex()
  readonly #recorder: EventRecorder
  readonly #lease: Lease | undefined
  readonly #stopping = new AbortController()
  #watching: Promise<unknown> = Promise.resolve()

  constructor(options: ManagerOptions) {
    const { clock = systemClock, random = Math.random, client, identity, fieldManager } = options
    this.#options = { ...options, clock, random }
    const { logger, metrics } = options
    this.#lease =
      options.lease && new Lease({ ...this.#options, ...options.lease, client, identity })
    this.client = client.guarded(() => this.#lease?.guard())
    metrics.measureLeading(() => this.isLeading)
    this.#recorder = new EventRecorder({
      client: this.client,
      clock,
      logger,
      fieldManager,
      reportingController: `cardea.dev/${fieldManager}`,
      reportingInstance: identity,
      onDropped: () => metrics.eventDropped(),
    })
  }

  /** Caches a kind that has no reconciler, such as Secrets with a label; its store. */
  watch<T extends KubeObject>(kind: ResourceKind, labelSelector?: string): ObjectStore<T> {
    const { store } = this.#inform<T>(kind, labelSelector)
    store.subscribe((change) => this.#changed(change, []))
    return store
  }

  /** Serves a kind with a reconciler; answers the kind's store. */
  add<T extends CustomResource>(reconciler: Reconciler<T>): ObjectStore<T> {
    const { resource } = reconciler
    const { concurrency = 16, resyncInterval = 300_000, reconcileTimeout = 60_000 } = this.#options
    const informer = this.#inform<T>(resource)
    const controller = new Controller<T>({
      ...this.#options,
      reconciler,
      informer,
      client: this.client,
      concurrency,
      resyncInterval,
      timeout: reconcileTimeout,
      record: (object, event) => this.#recorder.record(object, event),
      get: (reference) => this.#get(reference),
      referrers: (object) => [...this.#references.referrers(referenceOf(object))].sort(),
    })
    this.#controllers.set(resource.kind, controller)
    this.#options.metrics.addController(controller)
    informer.store.subscribe((change) => {
      controller.handle(change)
      this.#changed(change, change.deleted ? [] : reconciler.references(change.object))
    })
    return informer.store
  }

  /** Whether every cache has been filled. */
  get hasSynced(): boolean {
    return [...this.#informers.values()].every((informer) => informer.hasSynced)
  }

  /** Whether this process leads at this moment. */
  get isLeading(): boolean {
    return this.#lease?.isLeading() ?? this.hasSynced
  }

  /** Whether nothing is due and no pass is under way. */
  get isIdle(): boolean {
    return [...this.#controllers.values()].every(({ queue }) => queue.isIdle)
  }

  /** Asks for a pass over an object, by its `referenceKey`; ignored when it is not cached. */
  wake(reference: string, reason: string, priority: Priority = 'high'): void {
    const [kind, ...key] = reference.split('/')
    this.#controllers.get(kind ?? '')?.wake(key.join('/'), reason, priority)
  }

  /**
   * Fills the caches, waits for the lease and begins to reconcile; resolves when the caches are full.
   * @param onLost called when another leads: the process must end.
   */
  async start(onLost: () => void): Promise<void> {
    const { signal } = this.#stopping
    const { clock } = this.#options
    this.#watching = Promise.all([...this.#informers.values()].map((i) => i.run(signal)))
    while (!this.hasSynced && !signal.aborted) await sleep(clock, 50, signal)
    if (signal.aborted) return
    if (!this.#lease) return this.#lead()

    this.#lease.start({
      onStartedLeading: (leading) => {
        const abort = (): void => this.#abort(leading.reason)
        leading.addEventListener('abort', abort)
        this.#lead()
      },
      onLost,
    })
  }

  /**
   * Begins nothing more, waits up to `drain` ms for what is under way, gives the lease back and
   * closes every connection.
   */
  async stop(drain: number): Promise<void> {
    const { clock } = this.#options
    await Promise.all([...this.#controllers.values()].map((c) => c.stop(drain)))
    await Promise.race([this.#recorder.stop(), sleep(clock, 2000, NEVER)])
    await this.#lease?.stop()
    this.#stopping.abort()
    await this.#watching
    await this.client.close()
  }

  #lead(): void {
    for (const controller of this.#controllers.values()) controller.start()
  }

  #abort(reason: Error): void {
    for (const controller of this.#controllers.values()) controller.abort(reason)
  }

  #inform<T extends KubeObject>(kind: ResourceKind, labelSelector?: string): Informer<T> {
    const { metrics, namespaces = [], watchTimings: timings = {}, ...options } = this.#options
    const observer = metrics.reflector(kind.kind)
    const selection = { kind, namespaces, labelSelector }
    const informer = new Informer<T>({ ...options, ...selection, observer, timings })
    this.#informers.set(kind.kind, informer)
    metrics.addInformer(informer)
    return informer
  }

  #changed(change: Change<KubeObject>, refersTo: readonly string[]): void {
    const self = referenceOf(change.object)
    const dropped = this.#references.set(self, refersTo)
    if (wakesReferrers(change)) this.#wakeReferrers(self)
    for (const reference of dropped) this.#wakeDeleting(reference, self)
  }

  #wakeReferrers(reference: string): void {
    for (const key of this.#references.referrers(reference)) {
      const referrer = this.#get(key)
      // One that waits for this is in a hurry; ten thousand that are well are not.
      const priority = referrer && isReady(referrer) ? 'low' : 'high'
      this.wake(key, `${reference} changed`, priority)
    }
  }

  /** What is being deleted may have waited for its last referrer to go. */
  #wakeDeleting(reference: string, referrer: string): void {
    const object = this.#get(reference)
    if (object !== undefined && object.metadata.deletionTimestamp === undefined) return
    this.wake(reference, `${referrer} refers to it no more`)
  }

  #get(reference: string): KubeObject | undefined {
    const [kind, ...key] = reference.split('/')
    return this.#informers.get(kind ?? '')?.store.get(key.join('/'))
  }
}

/** What the manager needs of an informer, of whatever kind. */
type Cache = Pick<Informer, 'hasSynced' | 'run'> & {
  readonly store: { get(key: string): KubeObject | undefined }
}

/** What the manager needs of a controller, of whatever kind. */
type Work = Pick<Controller<CustomResource>, 'queue' | 'wake' | 'start' | 'stop' | 'abort'>

const NEVER = new AbortController().signal

function referenceOf(object: KubeObject): string {
  return referenceKey(object.kind, object.metadata.namespace, object.metadata.name)
}
