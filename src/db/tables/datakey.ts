import { integer, jsonb, primaryKey, text, timestamp, uuid } from 'drizzle-orm/pg-core'
import { bytea, cardeaKeys } from './schema.ts'

export const dataKeys = cardeaKeys.table(
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
    /** The value of the annotation that asked for it. */
    rotationRequest: text('rotation_request'),
  },
  (table) => [primaryKey({ columns: [table.organizationId, table.version] })],
)
