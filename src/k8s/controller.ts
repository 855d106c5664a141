import { jittered, type Random } from './clock.ts'
import type { Informer } from './informer.ts'
import type { MeasuredController, ReconcileResult, RuntimeMetrics } from './metrics.ts'
import { type CustomResource, objectKey } from './object.ts'
import { finalizerOf, Orphans } from './orphans.ts'
import { Pass, type PassEnd, type PassOptions } from './pass.ts'
import { PassTimeoutError } from './patience.ts'
import { type Priority, WorkQueue } from './queue.ts'
import type { Change } from './store.ts'
import { wakesItself } from './wakeup.ts'

export interface ControllerOptions<T extends CustomResource>
  extends Omit<PassOptions<T>, 'store' | 'finalized'> {
  readonly informer: Informer<T>
  readonly random: Random
  readonly metrics: RuntimeMetrics
  /** Passes under way at once. */
  readonly concurrency: number
  /** How often an object is looked at though nothing happened, give or take a tenth; ms. */
  readonly resyncInterval: number
  /** How long a pass may take; ms. */
  readonly timeout: number
}

/** How long after its time-out a pass holds its worker. It holds its key until it has ended. */
const WORKER_GRACE = 10_000
/** How long a pass that was aborted at the end of the program is waited for. */
const ABORT_GRACE = 2000
/** A `requeueAt` in the past is a mistake, and must not become a busy loop. */
const SOONEST = 1000
/** A standby cannot tell the leader's work from an orphan. It keeps what the leader may not have got to. */
const MOST_ORPHANS_OF_STANDBY = 1000

/** Calls one reconciler, for one kind: decides which object is next, and when. */
export class Controller<T extends CustomResource> implements MeasuredController {
  readonly name: string
  readonly kind: string
  readonly queue: WorkQueue
  readonly #options: ControllerOptions<T>
  readonly #pass: Pass<T>
  readonly #orphans: Orphans<T>
  readonly #stopping = new AbortController()
  readonly #passes = new Set<Promise<void>>()
  /** Objects that were seen before they had a status: their first Ready is measured. */
  readonly #fresh = new Set<string>()
  #running = false

  constructor(options: ControllerOptions<T>) {
    const { reconciler, informer, clock, random, metrics } = options
    this.kind = reconciler.resource.kind
    this.name = this.kind.toLowerCase()
    this.#options = options
    this.#orphans = new Orphans(finalizerOf(reconciler.resource))
    const finalized = (object: T): void => this.#orphans.finalized(object)
    this.#pass = new Pass({ ...options, store: informer.store, finalized })
    this.queue = new WorkQueue({ clock, random, observer: metrics.queue(this.name) })
  }

  readonly objects = (): Iterable<T> => this.#options.informer.store.values()

  /** Takes in a change of an object of this kind. */
  handle(change: Change<T>): void {
    const key = objectKey(change.object)
    const orphaned = this.#orphans.take(change)
    if (change.deleted) {
      this.#fresh.delete(key)
      this.queue.forget(key)
      if (orphaned) this.#add(key, 'high', 'deleted without its finalizer')
      if (!this.#running) this.#dropOldOrphans()
      return
    }
    if (!change.previous && !change.object.status?.conditions) this.#fresh.add(key)
    const reason = wakesItself(change, this.#options.reconciler.resource.group)
    if (reason !== undefined) this.#add(key, change.initial ? 'low' : 'high', reason)
  }

  /** Asks for a pass over an object; ignored when there is no such object, nor anything left of one. */
  wake(key: string, reason: string, priority: Priority = 'high'): void {
    const known = this.#options.informer.store.get(key) ?? this.#orphans.get(key)
    if (known) this.#add(key, priority, reason)
  }

  /** Begins to call the reconciler. The caches must have synced. */
  start(): void {
    this.#running = true
    for (let i = 0; i < this.#options.concurrency; i += 1) void this.#work()
  }

  /** Begins no pass any more; waits for those under way, and after `drain` ms aborts them. */
  async stop(drain: number): Promise<void> {
    this.queue.close()
    const { clock } = this.#options
    const cancelAbort = clock.after(drain, () => this.abort(new Error('stopped')))
    let cancelWait = (): void => {}
    const given = new Promise<void>((resolve) => {
      cancelWait = clock.after(drain + ABORT_GRACE, resolve)
    })
    await Promise.race([Promise.all(this.#passes), given])
    cancelAbort()
    cancelWait()
  }

  /** Aborts what is under way, and begins nothing more. */
  abort(reason: Error): void {
    this.queue.close()
    this.#stopping.abort(reason)
  }

  #add(key: string, priority: Priority, reason: string): void {
    this.#options.logger.debug({ controller: this.name, key, reason }, 'An object is queued.')
    // A standby's queue only grows: none of it is news by the time that it leads.
    this.queue.add(key, this.#running ? priority : 'low')
  }

  #dropOldOrphans(): void {
    for (const key of this.#orphans.limit(MOST_ORPHANS_OF_STANDBY)) this.queue.forget(key)
  }

  async #work(): Promise<void> {
    for (;;) {
      const key = await this.queue.take()
      if (key === undefined) return
      const pass = this.#process(key)
      this.#passes.add(pass)
      void pass.then(() => this.#passes.delete(pass))
      await this.#patiently(pass)
    }
  }

  /** A pass that ignores its time-out keeps its key, but must not keep a worker from the others. */
  async #patiently(pass: Promise<void>): Promise<void> {
    let cancel = (): void => {}
    const overdue = new Promise<void>((resolve) => {
      cancel = this.#options.clock.after(this.#options.timeout + WORKER_GRACE, resolve)
    })
    await Promise.race([pass, overdue])
    cancel()
  }

  async #process(key: string): Promise<void> {
    const { informer, clock, timeout, metrics } = this.#options
    const object = informer.store.get(key)
    const orphan = object === undefined ? this.#orphans.get(key) : undefined
    const subject = object ?? orphan?.object
    const started = clock.monotonic()
    const passing = new AbortController()
    const onStop = (): void => passing.abort(this.#stopping.signal.reason)
    const cancel = clock.after(timeout, () => passing.abort(new PassTimeoutError('time-out')))
    this.#stopping.signal.addEventListener('abort', onStop)
    try {
      if (subject === undefined) return this.queue.forget(key)
      const { signal } = passing
      const end = await (orphan ? this.#pass.bury(orphan, signal) : this.#pass.run(subject, signal))
      if (orphan && end.end === 'idle') this.#orphans.settled(orphan)
      metrics.reconciled(this.name, resultOf(end), (clock.monotonic() - started) / 1000)
      this.#settle(key, subject, end)
    } finally {
      cancel()
      this.#stopping.signal.removeEventListener('abort', onStop)
      this.queue.done(key)
    }
  }

  /** Decides when the next pass is. */
  #settle(key: string, object: T, end: PassEnd): void {
    const { clock, random, resyncInterval, logger } = this.#options
    if (end.end === 'failed') {
      const retryInMs = Math.round(this.queue.retry(key))
      const fields = { err: end.error, controller: this.name, key, retryInMs }
      if (end.quiet) logger.debug(fields, 'A pass was overtaken and is tried again.')
      else logger.warn(fields, 'A pass failed and is tried again.')
      return
    }
    this.queue.succeeded(key)
    if (end.end === 'idle') return
    if (end.ready && this.#fresh.delete(key)) this.#measureFirstReady(object)
    const now = clock.now()
    const due = end.requeueAt?.getTime() ?? Number.POSITIVE_INFINITY
    if (due <= now) this.queue.addAt(key, now + SOONEST, 'low')
    else if (Number.isFinite(due)) this.queue.addAt(key, due, 'high')
    this.queue.addAt(key, now + jittered(resyncInterval, random), 'low')
  }

  #measureFirstReady(object: T): void {
    const since = Date.parse(object.metadata.creationTimestamp)
    this.#options.metrics.firstReady(this.kind, (this.#options.clock.now() - since) / 1000)
  }
}

function resultOf(end: PassEnd): ReconcileResult {
  if (end.end === 'failed') return end.quiet ? 'requeue' : 'error'
  return end.end === 'settled' && end.requeueAt ? 'requeue_after' : 'success'
}
