import type { Pool } from 'pg'
import { countAttempt, forgettingFailures, takingBackAttempt } from '../../db/signinfailure.ts'
import { carryOutFor, type Transaction } from '../../db/transaction.ts'
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

/** Counts an attempt to sign in, or to change a password, by whoever may be somebody else. */
export async function beginAttempt(
  tx: Transaction,
  organizationId: string,
  attempt: Attempt,
  { lockout }: SignInRules,
): Promise<CountedAttempts> {
  const seconds = Math.max(1, Math.ceil(lockout.duration / 1000))
  const counted = await countAttempt(tx, organizationId, countersOf(attempt, lockout), seconds)
  const lockedFor = counted.find((each) => each.lockedFor !== undefined)?.lockedFor
  const locking = counted.some((each) => each.counter.kind !== 'address' && locks(each))
  const until = new Date(Date.now() + seconds * 1000)
  const lockingUntil = locking && lockedFor === undefined ? until : undefined
  return { organizationId, counted, lockedFor, lockingUntil }
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
