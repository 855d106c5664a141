import { eq } from 'drizzle-orm'
import { insertion } from './statement.ts'
import { auditEvents } from './tables/audit.ts'
import type { Transaction } from './transaction.ts'

export type AuditEvent = Omit<typeof auditEvents.$inferInsert, 'id' | 'at'>

/** Appends an event. In the transaction of what it tells of: they are committed together or not at all. */
export function auditing(event: AuditEvent): string {
  return insertion(auditEvents, [event])
}

/**
 * Appends that a data key was unwrapped, for the values of its organization.
 * @param who unwrapped it
 * @param requestId of the request that it was done for
 */
export function auditingUnwrap(
  unwrap: {
    readonly organizationId: string
    readonly dataKeyVersion: number
    readonly kek: unknown
    readonly at: Date
  },
  who: Pick<AuditEvent, 'actorKind' | 'actor'>,
  requestId?: string,
): string {
  const { organizationId, dataKeyVersion: version, kek, at } = unwrap
  return auditing({
    ...who,
    organizationId,
    action: 'data_key.unwrapped',
    targetKind: 'organization',
    targetId: organizationId,
    targetName: '',
    ...(requestId !== undefined && { requestId }),
    detail: { at: at.toISOString(), version, kek, purpose: 'provider_credential' },
  })
}

/** Whether something of this action ever happened in the organization. */
export async function hasHappened(tx: Transaction, action: string): Promise<boolean> {
  return (await tx.$count(auditEvents, eq(auditEvents.action, action))) > 0
}
