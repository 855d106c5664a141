import { sql } from 'drizzle-orm'
import { jsonb, text, timestamp, uuid } from 'drizzle-orm/pg-core'
import { cardea, ownership } from './schema.ts'

export const organizations = cardea.table('organizations', {
  id: uuid().primaryKey().default(sql`uuidv7()`),
  name: text().notNull(),
  displayName: text('display_name').notNull(),
  domains: text().array().notNull().default([]),
  owners: text().array().notNull().default([]),
  apiKeyPrefix: text('api_key_prefix').notNull().default('ck'),
  management: text({ enum: ['GitOps', 'Mixed'] })
    .notNull()
    .default('Mixed'),
  settings: jsonb().$type<Record<string, unknown>>().notNull().default({}),
  /** No session that began before it counts. It never goes back: see the migration. */
  sessionsRevokedBefore: timestamp('sessions_revoked_before', { withTimezone: true }),
  /** The KEK that the organization chose; null: the installation's default. */
  encryptionKey: jsonb('encryption_key').$type<Record<string, string>>(),
  ...ownership(),
  deletedAt: timestamp('deleted_at', { withTimezone: true }),
})
