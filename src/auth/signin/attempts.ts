import type { Pool } from 'pg'
import { countingAttempt, forgettingFailures, takingBackAttempt } from '../../db/signinfailure.ts'
import { carryOut, carryOutFor, carryOutLast, type Transaction } from '../../db/transaction.ts'
import { type Attempt, type CountedAttempt, countersOf, locks } from '../../domain/lockout.ts'
import type { SignInRules } from '../../domain/signinrules.ts'

/** An attempt that was counted as a failure before it was judged. */
export interface CountedAttempts {
  readonly organizationId: string
  readonly counted: readonly CountedAttempt[]
  /** Seconds for which nothing is judged; undefined: it is to be judged. */
  readonly lockedFor: number | undefined
  /** Until when the account or the device is locked if this attempt fails; undefined: it is not the one that locks it. */
  readonly lockingUntil: Date | undefined
}

/** An attempt that was just counted. */
export interface BegunAttempts extends CountedAttempts {
  /** Counted for something that is not locked while something else is: it is taken back. */
  readonly unjudged: readonly CountedAttempt[]
}

/**
 * Counts an attempt to sign in, or to change a password, by whoever may be somebody else. One that is not judged counts for the
 * address alone, from where it goes on.
 */
export async function beginAttempt(
  tx: Transaction,
  organizationId: string,
  attempt: Attempt,
  { lockout }: SignInRules,
): Promise<CountedAttempts> {
  const reading = countingAttempt(organizationId, countersOf(attempt, lockout))
  const [counted] = await carryOut(tx, [], [reading])
  const begun = begunOf(organizationId, counted)
  if (begun.unjudged.length > 0) await carryOut(tx, takingBackUnjudged(begun), [])
  return begun
}

/** The same as the last that a transaction does: `takeBackUnjudged` follows it. */
export async function beginAttemptLast(
  tx: Transaction,
  organizationId: string,
  attempt: Attempt,
  { lockout }: SignInRules,
): Promise<BegunAttempts> {
  const reading = countingAttempt(organizationId, countersOf(attempt, lockout))
  const [counted] = await carryOutLast(tx, [], [reading])
  return begunOf(organizationId, counted)
}

/** Has an attempt that is not judged count for the address alone. */
export async function takeBackUnjudged(pool: Pool, begun: BegunAttempts): Promise<void> {
  const { organizationId, unjudged } = begun
  if (unjudged.length === 0) return
  await carryOutFor(pool, [{ organizationId, statements: takingBackUnjudged(begun) }])
}

function takingBackUnjudged({ unjudged }: BegunAttempts): readonly string[] {
  return unjudged.map(({ counter }) => takingBackAttempt(counter))
}

function begunOf(organizationId: string, counted: readonly CountedAttempt[]): BegunAttempts {
  const waits = counted.flatMap(({ lockedFor }) => lockedFor ?? [])
  const whose = counted.filter(({ counter }) => counter.kind !== 'address')
  if (waits.length === 0) {
    const seconds = whose.filter(locks).map(({ counter }) => counter.duration)
    const until =
      seconds.length > 0 ? new Date(Date.now() + Math.max(...seconds) * 1000) : undefined
    return { organizationId, counted, unjudged: [], lockedFor: undefined, lockingUntil: until }
  }
  const unjudged = whose.filter(({ lockedFor }) => lockedFor === undefined)
  const kept = counted.filter((each) => !unjudged.includes(each))
  const lockedFor = Math.max(...waits)
  return { organizationId, counted: kept, unjudged, lockedFor, lockingUntil: undefined }
}

/** It was right: the account's and the device's failures are forgotten, and the address has one less. */
export function endingAttempt({ counted }: CountedAttempts): readonly string[] {
  return counted.map(({ counter }) =>
    counter.kind === 'address' ? takingBackAttempt(counter) : forgettingFailures(counter),
  )
}

/** It could not be judged: it was no failure. */
export async function withdrawAttempt(
  pool: Pool,
  { organizationId, counted }: CountedAttempts,
): Promise<void> {
  const judged = counted.filter(({ lockedFor }) => lockedFor === undefined)
  const statements = judged.map(({ counter }) => takingBackAttempt(counter))
  await carryOutFor(pool, [{ organizationId, statements }])
}
