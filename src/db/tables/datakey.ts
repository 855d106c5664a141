import { integer, jsonb, pgSchema, primaryKey, timestamp, uuid } from 'drizzle-orm/pg-core'
import { bytea } from './schema.ts'

const keys = pgSchema('cardea_keys')

export const dataKeys = keys.table(
  'data_keys',
  {
    organizationId: uuid('organization_id').notNull(),
    version: integer().notNull(),
    /** The KEK that wrapped it. */
    kek: jsonb().$type<{ provider: string; keyId: string; version: string }>().notNull(),
    wrapped: bytea().notNull(),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
    /** Set when a newer one seals in its place. */
    retiredAt: timestamp('retired_at', { withTimezone: true }),
  },
  (table) => [primaryKey({ columns: [table.organizationId, table.version] })],
)
