import type { KubeClient } from './client.ts'
import { type Clock, type Random, sleep } from './clock.ts'
import { ApiError, isConflict, LeaseLostError } from './errors.ts'
import { microTime } from './event.ts'
import type { KubeObject, ResourceKind } from './object.ts'
import type { Logger } from './reconciler.ts'

/** coordination.k8s.io/v1: `create`, `get` and `update` are the verbs that this needs. */
const LEASES: ResourceKind = {
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  namespaced: true,
}

interface LeaseObject extends KubeObject {
  readonly spec?: {
    readonly holderIdentity?: string
    readonly leaseDurationSeconds?: number
    readonly acquireTime?: string
    readonly renewTime?: string
    readonly leaseTransitions?: number
  }
}

/** In milliseconds; each less than the one before. */
export interface LeaseTimings {
  /** How long others wait after the last renewal that they saw. */
  readonly duration: number
  /** How long after its last renewal the leader believes that it leads. */
  readonly renewDeadline: number
  readonly retry: number
}

export interface LeaseOptions {
  /** Without a guard: renewing is what the guard asks about. */
  readonly client: Pick<KubeClient, 'get' | 'create' | 'replace'>
  readonly namespace: string
  readonly name: string
  /** Who this is: unique among the replicas. */
  readonly identity: string
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly timings?: Partial<LeaseTimings>
  /**
   * Takes a fence elsewhere, such as in a database, after the lease is won and before anything else
   * is done. A paused process may wake up and write before it learns that its lease has run out;
   * what it writes to must know better than it does. Rejecting gives the lease back.
   */
  readonly acquireFence?: (signal: AbortSignal) => Promise<void>
}

/** What to do when leading begins and when it is lost. */
export interface LeaseCallbacks {
  /** The signal is aborted when the lease is lost or given back. */
  readonly onStartedLeading: (signal: AbortSignal) => void
  /** Another holds the lease: end the process. Not called for `stop`. */
  readonly onLost: () => void
}

const TIMINGS: LeaseTimings = { duration: 15_000, renewDeadline: 10_000, retry: 2000 }

/**
 * Leader election by a Lease, as client-go does it. Clocks are not compared: what counts is how long
 * *we* have not seen the record change. Whether we lead is computed from the time whenever it is
 * asked, so a process that was paused knows better at once, before any timer of it has run.
 *
 * A lease that could not be renewed in time *lapses*: nothing is written until it is renewed, which
 * succeeds only if nobody has touched the record since, so an API server that was away for a minute
 * costs no restart. It is *lost* when somebody else has it.
 */
export class Lease {
  readonly #options: LeaseOptions
  readonly #timings: LeaseTimings
  readonly #ended = new AbortController()
  #observed: { readonly record: string; readonly at: number } | undefined
  #held: LeaseObject | undefined
  #renewedAt = Number.NEGATIVE_INFINITY
  #fenced = false
  #running: Promise<void> | undefined

  constructor(options: LeaseOptions) {
    this.#options = options
    this.#timings = { ...TIMINGS, ...options.timings }
  }

  /** Whether this process leads at this moment. Ask before each write. */
  isLeading(): boolean {
    return this.#fenced && this.#isFresh()
  }

  /** @throws LeaseLostError when this process does not lead. */
  readonly guard = (): void => {
    if (!this.isLeading()) throw new LeaseLostError('this replica does not lead')
  }

  /** Begins to stand for election; returns at once. */
  start(callbacks: LeaseCallbacks): void {
    this.#running ??= this.#run(callbacks)
  }

  /** Stops standing, and gives the lease back so that another need not wait for it to run out. */
  async stop(): Promise<void> {
    this.#ended.abort()
    await this.#running
    await this.#release()
  }

  async #run(callbacks: LeaseCallbacks): Promise<void> {
    const { signal } = this.#ended
    while (!signal.aborted) {
      if (!(await this.#attempt())) {
        await this.#pause(signal)
        continue
      }
      this.#options.logger.info({ identity: this.#options.identity }, 'The lease is won.')
      if ((await this.#lead(callbacks)) === 'lost') return callbacks.onLost()
      await this.#release()
      await this.#pause(signal)
    }
  }

  /** Renews until the lease is lost, the fence is refused, or we are told to stop. */
  async #lead(callbacks: LeaseCallbacks): Promise<'lost' | 'refused' | 'stopped'> {
    const leading = new AbortController()
    const refusal = new AbortController()
    // Renewing goes on meanwhile: a fence may have to wait for a database.
    this.#begin(callbacks, leading.signal).catch((err: unknown) => {
      this.#options.logger.warn({ err }, 'The fence was not acquired; the lease is given back.')
      refusal.abort()
    })
    const end = AbortSignal.any([this.#ended.signal, refusal.signal])
    try {
      for (;;) {
        await this.#pause(end)
        if (end.aborted) return refusal.signal.aborted ? 'refused' : 'stopped'
        if (!(await this.#attempt()) && this.#held === undefined) return 'lost'
      }
    } finally {
      this.#fenced = false
      leading.abort(new LeaseLostError('this replica does not lead any more'))
    }
  }

  async #begin({ onStartedLeading }: LeaseCallbacks, leading: AbortSignal): Promise<void> {
    await this.#options.acquireFence?.(leading)
    if (leading.aborted) return
    this.#fenced = true
    onStartedLeading(leading)
  }

  /** Takes or renews the lease; whether it is ours. */
  async #attempt(): Promise<boolean> {
    const { client, namespace, name, clock, logger } = this.#options
    // Others count from when they see the record, which is later than this.
    const before = clock.monotonic()
    const limits = { attempts: 1, deadline: this.#timings.renewDeadline / 2, fieldManager: MANAGER }
    try {
      const current = this.#held ?? (await client.get<LeaseObject>(LEASES, namespace, name, limits))
      if (current !== undefined && !this.#mayTake(current)) return false
      const manifest = this.#manifest(current)
      this.#held =
        current === undefined
          ? await client.create<LeaseObject>(LEASES, manifest, limits)
          : await client.replace<LeaseObject>(LEASES, manifest, limits)
      this.#renewedAt = before
      return true
    } catch (err) {
      if (isTaken(err)) await this.#lookAgain(limits)
      else logger.warn({ err }, 'The lease could not be taken or renewed.')
      return false
    }
  }

  /** After a conflict: an edit of a label must not cost the lease, another holder must. */
  async #lookAgain(limits: { attempts: number; deadline: number }): Promise<void> {
    const { client, namespace, name, identity } = this.#options
    const wasHeld = this.#held !== undefined
    try {
      const current = await client.get<LeaseObject>(LEASES, namespace, name, limits)
      this.#held = wasHeld && current?.spec?.holderIdentity === identity ? current : undefined
    } catch {
      // Unknown: it is tried again until the deadline says that it is lost.
    }
  }

  #mayTake(current: LeaseObject): boolean {
    const holder = current.spec?.holderIdentity ?? ''
    if (this.#held !== undefined || holder === '') return true
    // A restart under the same name may still have its former self's requests under way: it waits.
    const { clock } = this.#options
    const record = JSON.stringify([current.metadata.uid, current.spec])
    if (this.#observed?.record !== record) this.#observed = { record, at: clock.monotonic() }
    return clock.monotonic() - this.#observed.at >= this.#timings.duration
  }

  #manifest(current: LeaseObject | undefined) {
    const { namespace, name, identity, clock } = this.#options
    const now = microTime(clock.now())
    const mine = current?.spec?.holderIdentity === identity && this.#held !== undefined
    const transitions = current?.spec?.leaseTransitions ?? 0
    return {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: current?.metadata ?? { namespace, name },
      spec: {
        holderIdentity: identity,
        leaseDurationSeconds: Math.ceil(this.#timings.duration / 1000),
        acquireTime: mine ? current.spec?.acquireTime : now,
        renewTime: now,
        leaseTransitions: mine || current === undefined ? transitions : transitions + 1,
      },
    }
  }

  async #release(): Promise<void> {
    const held = this.#held
    this.#held = undefined
    if (held === undefined) return
    const { client, clock, logger } = this.#options
    const spec = {
      ...held.spec,
      holderIdentity: '',
      leaseDurationSeconds: 1,
      renewTime: microTime(clock.now()),
    }
    try {
      const limits = { attempts: 1, deadline: 3000, fieldManager: MANAGER }
      await client.replace(LEASES, { ...held, spec }, limits)
      logger.info({}, 'The lease is given back.')
    } catch (err) {
      logger.warn({ err }, 'The lease could not be given back; it runs out by itself.')
    }
  }

  #isFresh(): boolean {
    return this.#options.clock.monotonic() - this.#renewedAt < this.#timings.renewDeadline
  }

  #pause(end: AbortSignal): Promise<void> {
    const { clock, random } = this.#options
    return sleep(clock, this.#timings.retry * (1 + random() * 0.2), end)
  }
}

const MANAGER = 'cardea-lease'

function isTaken(error: unknown): boolean {
  return isConflict(error) || (error instanceof ApiError && error.status === 409)
}
