import { eq } from 'drizzle-orm'
import { insertion } from './statement.ts'
import { auditEvents } from './tables/audit.ts'
import type { Transaction } from './transaction.ts'

export type AuditEvent = Omit<typeof auditEvents.$inferInsert, 'id' | 'at'>

/** Appends an event. In the transaction of what it tells of: they are committed together or not at all. */
export function auditing(event: AuditEvent): string {
  return insertion(auditEvents, [event])
}

/** Whether something of this action ever happened in the organization. */
export async function hasHappened(tx: Transaction, action: string): Promise<boolean> {
  return (await tx.$count(auditEvents, eq(auditEvents.action, action))) > 0
}
