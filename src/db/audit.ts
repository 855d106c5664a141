import { auditEvents } from './tables/audit.ts'
import type { Transaction } from './transaction.ts'

export type AuditEvent = Omit<typeof auditEvents.$inferInsert, 'id' | 'at'>

/** Appends events in the caller's transaction: what changed and that it changed are committed together or not at all. */
export async function appendAudit(tx: Transaction, events: readonly AuditEvent[]): Promise<void> {
  if (events.length > 0) await tx.insert(auditEvents).values([...events])
}
