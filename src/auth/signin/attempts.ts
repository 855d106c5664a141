import type { Pool } from 'pg'
import { countAttempt, forgetFailures, takeBackAttempt } from '../../db/signinfailure.ts'
import { type Transaction, writeInOrganization } from '../../db/transaction.ts'
import { type Attempt, type CountedAttempt, countersOf, locks } from '../../domain/lockout.ts'
import type { SignInRules } from '../../domain/signinrules.ts'

const actor = 'cardea-auth'

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
  const counted: CountedAttempt[] = []
  for (const counter of countersOf(attempt, lockout)) {
    const result = await countAttempt(tx, organizationId, counter, seconds)
    counted.push(result)
    if (result.lockedFor !== undefined) {
      return { organizationId, counted, lockedFor: result.lockedFor, lockingUntil: undefined }
    }
  }
  const locking = counted.some((each) => each.counter.kind !== 'address' && locks(each))
  const lockingUntil = locking ? new Date(Date.now() + seconds * 1000) : undefined
  return { organizationId, counted, lockedFor: undefined, lockingUntil }
}

/** It was right: the account's and the device's failures are forgotten, and the address has one less. */
export async function endAttempt(tx: Transaction, { counted }: CountedAttempts): Promise<void> {
  for (const { counter } of counted) {
    if (counter.kind === 'address') await takeBackAttempt(tx, counter)
    else await forgetFailures(tx, counter)
  }
}

/** It could not be judged: it was no failure. */
export async function withdrawAttempt(
  pool: Pool,
  { organizationId, counted }: CountedAttempts,
): Promise<void> {
  await writeInOrganization(pool, { organizationId, actor }, async (tx) => {
    for (const { counter, lockedFor } of counted) {
      if (lockedFor === undefined) await takeBackAttempt(tx, counter)
    }
  })
}
