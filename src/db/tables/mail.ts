import { sql } from 'drizzle-orm'
import { integer, jsonb, primaryKey, text, timestamp, uuid } from 'drizzle-orm/pg-core'
import { cardea } from './schema.ts'

export const mails = cardea.table(
  'mails',
  {
    organizationId: uuid('organization_id').notNull(),
    id: uuid().notNull().default(sql`uuidv7()`),
    template: text().notNull(),
    recipient: text().notNull(),
    subjectId: uuid('subject_id'),
    arguments: jsonb().$type<Readonly<Record<string, string>>>().notNull().default({}),
    state: text({ enum: ['queued', 'sent', 'failed', 'superseded'] })
      .notNull()
      .default('queued'),
    attempts: integer().notNull().default(0),
    nextAttemptAt: timestamp('next_attempt_at', { withTimezone: true }).notNull().defaultNow(),
    lastError: text('last_error'),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
    expiresAt: timestamp('expires_at', { withTimezone: true }).notNull(),
    sentAt: timestamp('sent_at', { withTimezone: true }),
  },
  (table) => [primaryKey({ columns: [table.organizationId, table.id] })],
)
