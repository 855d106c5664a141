import { isDeepStrictEqual } from 'node:util'
import type { CommonStatus, Condition } from './object.ts'
import type { ExtraCondition, Outcome } from './reconciler.ts'

/**
 * Computes a status by the rules of kstatus (sigs.k8s.io/cli-utils/pkg/kstatus) and of Flux's
 * condition checks. Pure: no clock, no I/O.
 *
 * Polarity: Ready is True when all is well and is always present. Reconciling and Stalled are True
 * when something is going on or wrong, exclude each other, force Ready=False, and are absent
 * otherwise: a consumer waits for their absence.
 */

const MAX_MESSAGE = 1024
/** What a status may repeat of an annotation, which may have 256 KiB: one character more, and every write is refused. */
const MAX_REQUEST = 253
const REASON = /^[A-Za-z]([A-Za-z0-9_,:]{0,254}[A-Za-z0-9_])?$/
const RUNTIME_CONDITIONS = ['Ready', 'Reconciling', 'Stalled']

/** What a pass came to: what the reconciler returned, or a fault with its text for people. */
export type Verdict = Outcome | { readonly outcome: 'fault'; readonly message: string }

export interface StatusInput {
  readonly previous: CommonStatus | undefined
  readonly verdict: Verdict
  /** The generation that the pass saw. */
  readonly generation: number
  /** The value of the requested-at annotation that the pass saw. */
  readonly requestedAt: string | undefined
  readonly now: Date
}

/** A whole status, as it is applied: common fields, the kind's own, and the conditions. */
export type ComputedStatus = CommonStatus & {
  readonly observedGeneration: number
  readonly conditions: readonly Condition[]
}

/**
 * The status that says what a pass came to.
 * @throws RangeError when the reconciler gave a reason or a condition that is not allowed.
 */
export function computeStatus(input: StatusInput): ComputedStatus {
  const { previous, verdict, generation, now } = input
  const was = previous?.conditions ?? []
  const condition = (c: ExtraCondition): Condition => {
    if (!REASON.test(c.reason)) throw new RangeError(`"${c.reason}" is not a condition's reason`)
    const before = was.find((p) => p.type === c.type)
    return {
      type: c.type,
      status: c.status,
      observedGeneration: generation,
      // Only a flip moves the time: people sort by it, and a new time would be a write a pass.
      lastTransitionTime:
        before?.status === c.status ? before.lastTransitionTime : secondsTime(now),
      reason: c.reason,
      message: bounded(c.message),
    }
  }
  const own = verdict.outcome === 'fault' ? undefined : verdict.status
  return prune({
    ...(own ?? ownFields(previous)),
    observedGeneration: generation,
    lastHandledReconcileAt: cut(input.requestedAt, MAX_REQUEST) ?? previous?.lastHandledReconcileAt,
    conditions: [...runtimeConditions(verdict).map(condition), ...extras(verdict, was, condition)],
  }) as ComputedStatus
}

/** Whether applying `desired` over `current` would change nothing. */
export function statusEquals(desired: ComputedStatus, current: CommonStatus | undefined): boolean {
  return isDeepStrictEqual(sorted(desired), sorted(prune(current ?? {})))
}

/** The API server keeps conditions as a map, in an order of its own. */
function sorted(status: CommonStatus): CommonStatus {
  const conditions = status.conditions?.toSorted((a, b) => (a.type < b.type ? -1 : 1))
  return { ...status, conditions }
}

/**
 * Throws when a status breaks a rule of kstatus. Tests hold every status ever written to it.
 * @throws Error naming the rule.
 */
export function assertInvariants(status: CommonStatus, generation: number): void {
  const rule = (holds: boolean, text: string) => {
    if (!holds) throw new Error(`kstatus: ${text}: ${JSON.stringify(status)}`)
  }
  const conditions = status.conditions ?? []
  const find = (type: string) => conditions.find((c) => c.type === type)
  const [ready, reconciling, stalled] = RUNTIME_CONDITIONS.map(find)
  const types = new Set(conditions.map((c) => c.type))
  rule(types.size === conditions.length, 'a condition appears once')
  rule(ready !== undefined, 'Ready is always present')
  rule(reconciling === undefined || reconciling.status === 'True', 'Reconciling is True or absent')
  rule(stalled === undefined || stalled.status === 'True', 'Stalled is True or absent')
  rule(!(reconciling && stalled), 'Reconciling and Stalled exclude each other')
  rule(!(reconciling || stalled) || ready?.status === 'False', 'both force Ready=False')
  rule(status.observedGeneration !== undefined, 'observedGeneration is always present')
  rule((status.observedGeneration ?? 0) <= generation, 'no generation is observed before it exists')
  if (ready?.status === 'True') {
    const equal = conditions.every((c) => c.observedGeneration === status.observedGeneration)
    rule(equal, 'Ready=True needs every observedGeneration equal')
  } else {
    rule(Boolean(reconciling ?? stalled), 'Ready=False says why: Reconciling or Stalled')
  }
  for (const c of conditions) {
    rule(REASON.test(c.reason), `the reason of ${c.type} is a word`)
    rule(c.message.length <= MAX_MESSAGE, `the message of ${c.type} is bounded`)
    rule(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(c.lastTransitionTime), 'times have seconds')
  }
}

function runtimeConditions(verdict: Verdict): readonly ExtraCondition[] {
  const { message } = verdict
  switch (verdict.outcome) {
    case 'done':
      return [{ type: 'Ready', status: 'True', reason: verdict.reason, message }]
    case 'waiting':
      return [
        { type: 'Ready', status: 'False', reason: verdict.reason, message },
        { type: 'Reconciling', status: 'True', reason: verdict.reason, message },
      ]
    case 'stalled':
      return [
        { type: 'Ready', status: 'False', reason: verdict.reason, message },
        { type: 'Stalled', status: 'True', reason: verdict.reason, message },
      ]
    case 'fault':
      return [
        { type: 'Ready', status: 'False', reason: 'ReconcileError', message },
        { type: 'Reconciling', status: 'True', reason: 'ProgressingWithRetry', message },
      ]
    default:
      return verdict satisfies never
  }
}

function extras(
  verdict: Verdict,
  was: readonly Condition[],
  condition: (c: ExtraCondition) => Condition,
): readonly Condition[] {
  // A fault says nothing about the kind's own conditions: they stay as they were.
  if (verdict.outcome === 'fault') return was.filter((c) => !RUNTIME_CONDITIONS.includes(c.type))
  const given = verdict.conditions ?? []
  const clash = given.find((c) => RUNTIME_CONDITIONS.includes(c.type))
  if (clash) throw new RangeError(`the condition ${clash.type} belongs to the runtime`)
  return given.map(condition)
}

function ownFields(status: CommonStatus | undefined): object {
  const {
    observedGeneration: _g,
    conditions: _c,
    lastHandledReconcileAt: _r,
    ...own
  } = status ?? {}
  return own
}

/** Cuts a message to the bound without halving a character. */
export function bounded(message: string): string {
  return message.length <= MAX_MESSAGE ? message : `${cut(message, MAX_MESSAGE - 1)}…`
}

/** Half a character would be another one when it is read back, and written anew on every pass. */
function cut(text: string | undefined, length: number): string | undefined {
  return text === undefined || text.length <= length
    ? text
    : text.slice(0, length).replace(/[\uD800-\uDBFF]$/, '')
}

/** metav1.Time: RFC 3339 without fractions. */
export function secondsTime(at: Date): string {
  return `${at.toISOString().slice(0, 19)}Z`
}

/** As the API server would keep it: without undefined, and with dates as strings. */
function prune(value: object): object {
  return JSON.parse(JSON.stringify(value)) as object
}
