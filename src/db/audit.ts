import { eq } from 'drizzle-orm'
import { auditEvents } from './tables/audit.ts'
import type { Transaction } from './transaction.ts'

export type AuditEvent = Omit<typeof auditEvents.$inferInsert, 'id' | 'at'>

/** Appends events in the caller's transaction: what changed and that it changed are committed together or not at all. */
export async function appendAudit(tx: Transaction, events: readonly AuditEvent[]): Promise<void> {
  if (events.length > 0) await tx.insert(auditEvents).values([...events])
}

/** Whether something of this action ever happened in the organization. */
export async function hasHappened(tx: Transaction, action: string): Promise<boolean> {
  return (await tx.$count(auditEvents, eq(auditEvents.action, action))) > 0
}
