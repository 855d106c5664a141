import { sql } from 'drizzle-orm'
import { jsonb, primaryKey, text, timestamp, uuid } from 'drizzle-orm/pg-core'
import { cardea, ownership } from './schema.ts'

export const projects = cardea.table(
  'projects',
  {
    organizationId: uuid('organization_id').notNull(),
    id: uuid().notNull().default(sql`uuidv7()`),
    name: text().notNull(),
    displayName: text('display_name').notNull(),
    description: text(),
    settings: jsonb().$type<Record<string, unknown>>().notNull().default({}),
    ...ownership(),
    deletedAt: timestamp('deleted_at', { withTimezone: true }),
  },
  (table) => [primaryKey({ columns: [table.organizationId, table.id] })],
)
