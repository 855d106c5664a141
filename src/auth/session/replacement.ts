import { sessionByDigest, sessionEnding } from '../../db/session.ts'
import { asTenant, carryOut, type Transaction } from '../../db/transaction.ts'
import { digestToken } from '../../domain/onetimetoken.ts'
import { isSessionText } from '../../domain/session.ts'
import type { Client } from '../people.ts'
import { auditingDeed } from '../trail.ts'

/**
 * Ends the session whose place in a browser another one takes, of whichever person and organization: nobody has its cookie any
 * more but who took a copy.
 * @param organizationId the tenant of the transaction
 */
export async function endReplaced(
  tx: Transaction,
  organizationId: string,
  { session: text, requestId, address }: Client,
): Promise<void> {
  if (text === undefined || !isSessionText(text)) return
  const replaced = await sessionByDigest(tx, digestToken(text))
  if (!replaced) return
  const deed = auditingDeed({
    organizationId: replaced.organizationId,
    // Whoever signs in now may be somebody else.
    userId: undefined,
    action: 'session.ended',
    target: { kind: 'session', id: replaced.id, name: '' },
    requestId,
    detail: { reason: 'replaced', address },
  })
  const statements = asTenant(replaced.organizationId, organizationId, [
    sessionEnding(replaced.id, 'replaced'),
    deed,
  ])
  await carryOut(tx, statements, [])
}
