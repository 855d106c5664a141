import { sql } from 'drizzle-orm'
import { jsonb, primaryKey, text, timestamp, uuid } from 'drizzle-orm/pg-core'
import { cardea } from './schema.ts'

export const auditEvents = cardea.table(
  'audit_events',
  {
    organizationId: uuid('organization_id').notNull(),
    id: uuid().notNull().default(sql`uuidv7()`),
    at: timestamp({ withTimezone: true }).notNull().default(sql`clock_timestamp()`),
    actorKind: text('actor_kind', { enum: ['operator', 'user', 'apikey', 'system'] }).notNull(),
    actor: text().notNull(),
    action: text().notNull(),
    targetKind: text('target_kind').notNull(),
    targetId: uuid('target_id').notNull(),
    targetName: text('target_name').notNull(),
    requestId: text('request_id'),
    detail: jsonb().$type<Record<string, unknown>>().notNull().default({}),
  },
  (table) => [primaryKey({ columns: [table.organizationId, table.id] })],
)
