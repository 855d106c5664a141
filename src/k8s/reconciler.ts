import type { CommonStatus, CustomResource, KubeObject, ResourceKind } from './object.ts'

/**
 * The contract between a reconciler and the runtime.
 *
 * A reconciler reads one object, makes the world agree with it, and *returns what it found*. The
 * runtime writes the status, the conditions and the events, adds and removes the finalizer, and
 * decides when to call again. Calling it twice must change nothing the second time.
 */
export interface Reconciler<T extends CustomResource> {
  readonly resource: ResourceKind

  /**
   * The objects that this one refers to, as `referenceKey`s. It is woken when one of them appears,
   * changes its spec, becomes Ready or stops being so, or goes. Pure, cheap, called on every event.
   */
  references(object: T): readonly string[]

  /**
   * Makes the world agree with the object. Called only when every cache has synced, by the leader,
   * with the finalizer in place, never for a suspended or deleted object, and never twice at once
   * for one object. Throwing is a fault: it is retried with back-off, and the object says
   * `Ready=False, ReconcileError` (see errors.ts for what of the error people are shown).
   */
  reconcile(object: T, context: ReconcileContext): Promise<Outcome<OwnStatus<T>>>

  /**
   * Undoes what the object asked for, by its deletion policy. `done` removes the finalizer; anything
   * else keeps it, and the status says why. Called for suspended objects too.
   *
   * Called as well, with the object as it was last known, when the object is gone though its finalize
   * was not done: somebody took the finalizer away. Then no status can say anything; what is not
   * `done` is tried again, until an object of the name exists. A deletion counts when a watch told of
   * it, or when the API server says of an object that a list lacked that there is none by its name;
   * never when the kind itself is gone, or the server was restored to a time before the object. What
   * goes while no operator runs is not seen. After a change of leader it may be called for an object
   * that the former leader has finalized: doing it twice must change nothing, as ever.
   */
  finalize(object: T, context: ReconcileContext): Promise<Outcome<OwnStatus<T>>>
}

/** The status fields that belong to the kind, without those that the runtime writes. */
type OwnStatus<T extends CustomResource> = Omit<NonNullable<T['status']>, keyof CommonStatus>

/** What one pass is given besides the object. */
export interface ReconcileContext {
  /** Aborted when the pass times out, the lease is lost or the program stops. */
  readonly signal: AbortSignal
  readonly logger: Logger
  now(): Date
  /** The cached object that a reference names, of any watched kind; undefined when there is none. */
  get(reference: string): KubeObject | undefined
  /** The `referenceKey`s of all cached objects, of every kind, that refer to this one; sorted. */
  referrers(): readonly string[]
}

/** pino's calling convention, as little of it as the runtime needs. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/**
 * What a pass came to. Every one says what happens next:
 * - `done`: the world agrees with the spec. Ready=True. Called again at `requeueAt`, at the next
 *   resync, or when woken.
 * - `waiting`: for something that is not wrong but not there yet (a reference, a time).
 *   Ready=False and Reconciling=True. Called again when a reference changes, at `requeueAt`, or at
 *   the next resync.
 * - `stalled`: somebody must change a spec. Ready=False and Stalled=True. Not retried with back-off;
 *   a change, a wake-up or the next resync calls again.
 */
export type Outcome<Status extends object = object> =
  | Done<Status>
  | Waiting<Status>
  | Stalled<Status>

interface Found<Status extends object> {
  /** A CamelCase word for programs. */
  readonly reason: string
  /** A sentence for people that says what to do; cut at 1,024 characters. Never a secret. */
  readonly message: string
  /**
   * All of the kind's own status fields: it replaces what was there. Left out, what was there stays.
   */
  readonly status?: Status
  /** Conditions beside Ready, Reconciling and Stalled. What is left out is removed. */
  readonly conditions?: readonly ExtraCondition[]
  /** What to tell people through `kubectl describe`; repeated ones are counted, not repeated. */
  readonly events?: readonly ReconcileEvent[]
  /** The exact time of the next pass, when one is due before anything wakes the object. */
  readonly requeueAt?: Date
}

export interface Done<Status extends object = object> extends Found<Status> {
  readonly outcome: 'done'
}

export interface Waiting<Status extends object = object> extends Found<Status> {
  readonly outcome: 'waiting'
}

export interface Stalled<Status extends object = object> extends Found<Status> {
  readonly outcome: 'stalled'
}

/** A condition of the kind's own, such as DeletionBlocked. */
export interface ExtraCondition {
  readonly type: string
  readonly status: 'True' | 'False'
  readonly reason: string
  readonly message: string
}

export interface ReconcileEvent {
  readonly type: 'Normal' | 'Warning'
  /** Why, as a CamelCase word: `DriftRepaired`. */
  readonly reason: string
  /** What was done, as a CamelCase word: `Repair`. */
  readonly action: string
  /** A sentence for people; cut at 1,024 characters. Never a secret. */
  readonly note: string
}

/** The parts of an outcome that are seldom needed. */
export type OutcomeOptions<Status extends object> = Partial<Omit<Found<Status>, 'message'>>

/** The world agrees with the spec: Ready=True, reason `Reconciled` unless another is given. */
export function done<Status extends object>(
  message: string,
  options: OutcomeOptions<Status> = {},
): Done<Status> {
  return { reason: 'Reconciled', ...options, outcome: 'done', message }
}

/** Not there yet, and nobody did wrong: Ready=False, Reconciling=True. */
export function waiting<Status extends object>(
  reason: string,
  message: string,
  options: OutcomeOptions<Status> = {},
): Waiting<Status> {
  return { ...options, outcome: 'waiting', reason, message }
}

/** Somebody must change a spec: Ready=False, Stalled=True. */
export function stalled<Status extends object>(
  reason: string,
  message: string,
  options: OutcomeOptions<Status> = {},
): Stalled<Status> {
  return { ...options, outcome: 'stalled', reason, message }
}
