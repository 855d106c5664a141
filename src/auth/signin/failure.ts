import type { Pool } from 'pg'
import { mailing, noticeUseful } from '../../db/mail.ts'
import { touchingFailures } from '../../db/signinfailure.ts'
import { carryOutFor } from '../../db/transaction.ts'
import type { Client } from '../people.ts'
import { deviceNameOf, keptUserAgent } from '../session/devicename.ts'
import { auditingDeed } from '../trail.ts'
import type { CountedAttempts } from './attempts.ts'
import { nowhere } from './organizations.ts'

/** Why nobody was let in; for the audit trail alone. */
export type FailureReason =
  | 'no_account'
  | 'no_password'
  | 'wrong_password'
  | 'wrong_code'
  | 'suspended'
  | 'email_not_verified'
  | 'changed_meanwhile'

export interface Failure {
  readonly attempt: CountedAttempts
  /** Canonical, as it was given. */
  readonly email: string
  /** Undefined: there is no such account. */
  readonly userId: string | undefined
  readonly reason: FailureReason
  readonly client: Client
}

/**
 * Writes down that somebody was not let in, and, when this one locked the account, tells its owner. For an organization or an
 * account that does not exist as much is written, so that the answer takes as long; only that of no organization, nobody could
 * ever read the trail.
 */
export async function recordFailure(pool: Pool, failure: Failure): Promise<void> {
  const { attempt, email, userId, reason, client } = failure
  const { organizationId } = attempt
  if (organizationId === nowhere.id) {
    const statements = attempt.counted.map(({ counter }) => touchingFailures(counter))
    await carryOutFor(pool, [{ organizationId, statements }])
    return
  }
  const deed = {
    organizationId,
    userId: undefined,
    target: { kind: 'user', id: userId ?? organizationId, name: email },
    requestId: client.requestId,
  } as const
  const { address } = client
  const failed = { ...deed, action: 'user.sign_in_failed', detail: { reason, address } }
  const statements = [auditingDeed(failed), ...locking(failure, deed)]
  await carryOutFor(pool, [{ organizationId, statements }])
}

function locking(
  { attempt, email, userId, client }: Failure,
  deed: Omit<Parameters<typeof auditingDeed>[0], 'action'>,
): readonly string[] {
  const { organizationId, lockingUntil } = attempt
  if (!lockingUntil) return []
  const { address } = client
  const until = lockingUntil.toISOString()
  const locked = { ...deed, action: 'user.locked_out', detail: { until, address } }
  if (userId === undefined) return [auditingDeed(locked)]
  const mail = mailing({
    organizationId,
    template: 'account_locked',
    recipient: email,
    subjectId: userId,
    arguments: {
      until,
      at: new Date().toISOString(),
      device: deviceNameOf(keptUserAgent(client.userAgent)),
      ...(address !== undefined && { address }),
    },
    usefulFor: noticeUseful,
  })
  return [auditingDeed(locked), ...mail]
}
