import { createHash, randomUUID } from 'node:crypto'
import type { KubeClient } from './client.ts'
import type { Clock } from './clock.ts'
import { isNotFound } from './errors.ts'
import type { CommonStatus, KubeObject, Manifest, ResourceKind } from './object.ts'
import type { Logger, ReconcileEvent } from './reconciler.ts'
import { bounded, type Verdict } from './status.ts'

/** events.k8s.io/v1: `create` and `patch` are the verbs that this needs. */
const EVENTS: ResourceKind = {
  group: 'events.k8s.io',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  namespaced: true,
}

export interface RecorderOptions {
  readonly client: Pick<KubeClient, 'create' | 'patch'>
  readonly clock: Clock
  readonly logger: Logger
  /** `cardea.dev/operator`: who reports. */
  readonly reportingController: string
  /** The replica: its pod's name. */
  readonly reportingInstance: string
  readonly fieldManager: string
  readonly onDropped: () => void
  readonly limits?: Partial<RecorderLimits>
}

export interface RecorderLimits {
  /** Different events that are remembered, to count what is repeated. */
  readonly series: number
  /** A series that has been silent for so long (ms) has ended; the same again is a new event. */
  readonly silence: number
  /** How often (ms) the counts of repeated events are written. */
  readonly flush: number
  /** New events an object may have at once; one more is allowed each `refill` ms. */
  readonly burst: number
  readonly refill: number
  /** Writes that may wait. */
  readonly waiting: number
}

const LIMITS: RecorderLimits = {
  series: 4096,
  silence: 10 * 60_000,
  flush: 30_000,
  burst: 25,
  refill: 60_000,
  waiting: 1024,
}

interface Series {
  readonly namespace: string
  /** The Event's name. */
  readonly name: string
  count: number
  written: number
  lastSeen: number
}

/**
 * Records events about objects. Repeated ones are counted in the series of the first; an object that
 * has too much to say is cut short. Never waits and never fails: an event is a courtesy.
 */
export class EventRecorder {
  readonly #options: RecorderOptions
  readonly #limits: RecorderLimits
  readonly #series = new Map<string, Series>()
  readonly #budgets = new Map<string, { tokens: number; at: number }>()
  readonly #writes: (() => Promise<void>)[] = []
  #writing: Promise<void> | undefined
  #cancelFlush: (() => void) | undefined

  constructor(options: RecorderOptions) {
    this.#options = options
    this.#limits = { ...LIMITS, ...options.limits }
  }

  record(about: KubeObject, event: ReconcileEvent): void {
    const now = this.#options.clock.now()
    const note = bounded(event.note)
    const key = keyOf(about, event.type, event.reason, event.action, note)
    const series = this.#series.get(key)
    if (series !== undefined && now - series.lastSeen < this.#limits.silence) {
      series.count += 1
      series.lastSeen = now
      return this.#scheduleFlush()
    }
    if (!this.#spend(about.metadata.uid, now)) return this.#options.onDropped()
    const { namespace } = about.metadata
    const name = `${about.metadata.name.slice(0, 200)}.${randomUUID().slice(0, 13)}`
    const first = { namespace, name, count: 1, written: 1, lastSeen: now }
    remember(this.#series, key, this.#limits.series, first)
    this.#enqueue(() => this.#create(about, { ...event, note }, name, now))
  }

  /** Writes what waits. The caller bounds how long it waits for that. */
  async stop(): Promise<void> {
    this.#cancelFlush?.()
    this.#flush()
    await this.#writing
  }

  async #create(about: KubeObject, event: ReconcileEvent, name: string, at: number): Promise<void> {
    const { client, reportingController, reportingInstance, fieldManager } = this.#options
    const { namespace } = about.metadata
    const manifest: Manifest = {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name, namespace },
      eventTime: microTime(at),
      reportingController,
      reportingInstance: reportingInstance.slice(0, 128),
      type: event.type,
      reason: event.reason.slice(0, 128),
      action: event.action.slice(0, 128),
      note: event.note,
      regarding: {
        apiVersion: about.apiVersion,
        kind: about.kind,
        namespace,
        name: about.metadata.name,
        uid: about.metadata.uid,
        resourceVersion: about.metadata.resourceVersion,
      },
    }
    await client.create(EVENTS, manifest, { fieldManager })
  }

  #flush(): void {
    this.#cancelFlush = undefined
    const now = this.#options.clock.now()
    for (const [key, series] of this.#series) {
      if (series.count > series.written) this.#enqueue(() => this.#patch(key, series))
      else if (now - series.lastSeen >= this.#limits.silence) this.#series.delete(key)
    }
  }

  async #patch(key: string, series: Series): Promise<void> {
    const { client, fieldManager } = this.#options
    const { count, namespace, name, lastSeen } = series
    const patch = { series: { count, lastObservedTime: microTime(lastSeen) } }
    series.written = count
    try {
      await client.patch(EVENTS, namespace, name, patch, { fieldManager })
    } catch (error) {
      // The API server forgets an event after an hour: the next one like it begins anew.
      if (!isNotFound(error)) throw error
      this.#series.delete(key)
    }
  }

  #scheduleFlush(): void {
    this.#cancelFlush ??= this.#options.clock.after(this.#limits.flush, () => this.#flush())
  }

  #enqueue(write: () => Promise<void>): void {
    if (this.#writes.length >= this.#limits.waiting) return this.#options.onDropped()
    this.#writes.push(write)
    this.#writing ??= this.#drain().finally(() => {
      this.#writing = undefined
    })
  }

  async #drain(): Promise<void> {
    for (let write = this.#writes.shift(); write; write = this.#writes.shift()) {
      try {
        await write()
      } catch (err) {
        this.#options.onDropped()
        this.#options.logger.debug({ err }, 'An event could not be recorded.')
      }
    }
  }

  /** A token bucket for each object. */
  #spend(uid: string, now: number): boolean {
    const { burst, refill, series } = this.#limits
    const budget = this.#budgets.get(uid) ?? { tokens: burst, at: now }
    const tokens = Math.min(burst, budget.tokens + (now - budget.at) / refill)
    if (tokens < 1) return false
    remember(this.#budgets, uid, series, { tokens: tokens - 1, at: now })
    return true
  }
}

/**
 * The event that the runtime itself records: a Warning when an object comes to be stalled or faulty,
 * a Normal one when it has recovered. None for the first Ready: that would be a write an object.
 */
export function transitionEvent(
  previous: CommonStatus | undefined,
  verdict: Verdict,
): ReconcileEvent | undefined {
  const was = previous?.conditions?.find((c) => c.type === 'Ready')
  const action = 'Reconcile'
  switch (verdict.outcome) {
    case 'done': {
      const stalled = previous?.conditions?.some((c) => c.type === 'Stalled')
      const recovered = stalled || was?.reason === 'ReconcileError'
      if (!recovered) return undefined
      return { type: 'Normal', reason: verdict.reason, action, note: verdict.message }
    }
    case 'waiting':
      return undefined
    case 'stalled':
      return { type: 'Warning', reason: verdict.reason, action, note: verdict.message }
    case 'fault':
      return { type: 'Warning', reason: 'ReconcileError', action, note: verdict.message }
    default:
      return verdict satisfies never
  }
}

/**
 * metav1.MicroTime: six fractional digits. A Date has three, and the API server refuses those.
 */
export function microTime(at: number): string {
  return new Date(at).toISOString().replace('Z', '000Z')
}

function keyOf(about: KubeObject, ...rest: readonly string[]): string {
  return createHash('sha256')
    .update(JSON.stringify([about.metadata.uid, rest]))
    .digest('base64')
}

/** Sets a key of a map that forgets the oldest key when it is full. */
function remember<V>(map: Map<string, V>, key: string, most: number, value: V): void {
  map.delete(key)
  map.set(key, value)
  for (const oldest of map.keys()) {
    if (map.size <= most) return
    map.delete(oldest)
  }
}
