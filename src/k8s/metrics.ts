import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { Informer } from './informer.ts'
import { isReady, isSuspended, type KubeObject } from './object.ts'
import type { QueueObserver, WorkQueue } from './queue.ts'
import type { ReflectorObserver } from './watch.ts'

/** How a pass ended, in controller-runtime's words. */
export type ReconcileResult = 'success' | 'error' | 'requeue' | 'requeue_after'

/** What the gauges are read from when the registry is asked. */
export interface MeasuredController {
  readonly name: string
  readonly kind: string
  readonly queue: WorkQueue
  readonly objects: () => Iterable<KubeObject>
}

const WORK_BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

/**
 * The runtime's metrics, by the names of controller-runtime and client-go where they have one, so
 * that the dashboards and alerts that people have keep working.
 */
export class RuntimeMetrics {
  readonly #controllers: MeasuredController[] = []
  readonly #informers: Pick<Informer, 'kind' | 'lastSeen'>[] = []
  readonly #reconciles: Counter<'controller' | 'result'>
  readonly #reconcileErrors: Counter<'controller'>
  readonly #reconcileSeconds: Histogram<'controller'>
  readonly #adds: Counter<'name'>
  readonly #retries: Counter<'name'>
  readonly #queueSeconds: Histogram<'name'>
  readonly #workSeconds: Histogram<'name'>
  readonly #firstReady: Histogram<'kind'>
  readonly #relists: Counter<'kind'>
  readonly #watchErrors: Counter<'kind'>
  readonly #requests: Counter<'verb' | 'code'>
  readonly #eventsDropped: Counter
  readonly #registry: Registry

  constructor(registry: Registry) {
    const named = { registers: [registry] }
    const byController = { ...named, labelNames: ['controller'] as const }
    const byName = { ...named, labelNames: ['name'] as const }
    const byKind = { ...named, labelNames: ['kind'] as const }
    this.#reconciles = new Counter({
      name: 'controller_runtime_reconcile_total',
      help: 'Passes by controller and result.',
      ...named,
      labelNames: ['controller', 'result'],
    })
    this.#reconcileErrors = new Counter({
      name: 'controller_runtime_reconcile_errors_total',
      help: 'Passes that ended in a fault.',
      ...byController,
    })
    this.#reconcileSeconds = new Histogram({
      name: 'controller_runtime_reconcile_time_seconds',
      help: 'How long a pass takes.',
      ...byController,
      buckets: WORK_BUCKETS,
    })
    this.#adds = new Counter({
      name: 'workqueue_adds_total',
      help: 'Keys added to the queue.',
      ...byName,
    })
    this.#retries = new Counter({
      name: 'workqueue_retries_total',
      help: 'Keys put back with a back-off.',
      ...byName,
    })
    this.#queueSeconds = new Histogram({
      name: 'workqueue_queue_duration_seconds',
      help: 'How long a key waits to be worked on.',
      ...byName,
      buckets: WORK_BUCKETS,
    })
    this.#workSeconds = new Histogram({
      name: 'workqueue_work_duration_seconds',
      help: 'How long a key is worked on.',
      ...byName,
      buckets: WORK_BUCKETS,
    })
    this.#firstReady = new Histogram({
      name: 'cardea_resource_first_ready_seconds',
      help: 'From the creation of a resource to its first Ready.',
      ...byKind,
      buckets: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 300, 900, 3600],
    })
    this.#relists = new Counter({
      name: 'cardea_reflector_relists_total',
      help: 'Lists fetched in whole, the first included.',
      ...byKind,
    })
    this.#watchErrors = new Counter({
      name: 'cardea_reflector_watch_errors_total',
      help: 'Lists and watches that failed.',
      ...byKind,
    })
    this.#requests = new Counter({
      name: 'rest_client_requests_total',
      help: 'Requests to the API server by verb and status code; code 0 is no answer.',
      ...named,
      labelNames: ['verb', 'code'],
    })
    this.#eventsDropped = new Counter({
      name: 'cardea_events_dropped_total',
      help: 'Events not recorded because there were too many.',
      ...named,
    })
    this.#registry = registry
    this.#measured(registry)
  }

  /** Adds a controller to those that the gauges show. */
  addController(controller: MeasuredController): void {
    this.#controllers.push(controller)
  }

  /** Adds an informer to those that the gauges show. */
  addInformer(informer: Pick<Informer, 'kind' | 'lastSeen'>): void {
    this.#informers.push(informer)
  }

  reconciled(controller: string, result: ReconcileResult, seconds: number): void {
    this.#reconciles.inc({ controller, result })
    this.#reconcileSeconds.observe({ controller }, seconds)
    if (result === 'error') this.#reconcileErrors.inc({ controller })
  }

  firstReady(kind: string, seconds: number): void {
    this.#firstReady.observe({ kind }, Math.max(seconds, 0))
  }

  requested(verb: string, code: number): void {
    this.#requests.inc({ verb, code })
  }

  eventDropped(): void {
    this.#eventsDropped.inc()
  }

  /** Shows whether this process leads, as it is whenever the registry is asked. */
  measureLeading(leads: () => boolean): void {
    const gauge = new Gauge({
      name: 'cardea_leader',
      help: '1 in the replica that leads, 0 in the others.',
      registers: [],
      collect() {
        this.set(leads() ? 1 : 0)
      },
    })
    this.#registry.registerMetric(gauge)
  }

  queue(name: string): QueueObserver {
    return {
      added: () => this.#adds.inc({ name }),
      taken: (waited) => this.#queueSeconds.observe({ name }, waited / 1000),
      finished: (worked) => this.#workSeconds.observe({ name }, worked / 1000),
      retried: () => this.#retries.inc({ name }),
    }
  }

  reflector(kind: string): ReflectorObserver {
    return {
      listed: () => this.#relists.inc({ kind }),
      failed: () => this.#watchErrors.inc({ kind }),
    }
  }

  /**
   * Gauges that are read off the caches and queues when asked: nothing to keep in step, and a series
   * goes with its object.
   */
  #measured(registry: Registry): void {
    const gauge = <L extends string, S>(
      name: string,
      help: string,
      labelNames: readonly L[],
      sources: readonly S[],
      read: (gauge: Gauge<L>, source: S) => void,
    ): Gauge<L> =>
      new Gauge<L>({
        name,
        help,
        labelNames,
        registers: [registry],
        collect() {
          this.reset()
          for (const source of sources) read(this, source)
        },
      })
    const controllers = this.#controllers
    const active = 'controller_runtime_active_workers'
    gauge(active, 'Passes under way.', ['controller'], controllers, (g, c) =>
      g.set({ controller: c.name }, c.queue.active),
    )
    const depth = 'workqueue_depth'
    gauge(depth, 'Keys that wait.', ['name', 'priority'], controllers, (g, { name, queue }) => {
      g.set({ name, priority: 'high' }, queue.depth('high'))
      g.set({ name, priority: 'low' }, queue.depth('low'))
    })
    const unfinished = 'workqueue_unfinished_work_seconds'
    gauge(unfinished, 'Time in unfinished passes.', ['name'], controllers, (g, c) =>
      g.set({ name: c.name }, c.queue.unfinishedWork() / 1000),
    )
    const ready = 'cardea_resource_ready'
    const readyHelp = '1 when the resource is Ready, 0 when not; absent when it is suspended.'
    gauge(ready, readyHelp, ['kind', 'namespace', 'name'], controllers, (g, { kind, objects }) => {
      for (const object of objects()) {
        const { namespace, name } = object.metadata
        if (!isSuspended(object)) g.set({ kind, namespace, name }, isReady(object) ? 1 : 0)
      }
    })
    const seen = 'cardea_reflector_last_seen_timestamp_seconds'
    const seenHelp = 'When the API server was last heard of, in seconds since the epoch.'
    gauge(seen, seenHelp, ['kind'], this.#informers, (g, { kind, lastSeen }) => {
      if (lastSeen !== undefined) g.set({ kind: kind.kind }, lastSeen / 1000)
    })
  }
}
