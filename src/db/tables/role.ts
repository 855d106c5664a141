import { sql } from 'drizzle-orm'
import { primaryKey, text, uuid } from 'drizzle-orm/pg-core'
import { cardea, ownership } from './schema.ts'

export const roles = cardea.table(
  'roles',
  {
    organizationId: uuid('organization_id').notNull(),
    id: uuid().notNull().default(sql`uuidv7()`),
    name: text().notNull(),
    description: text(),
    permissions: text().array().notNull(),
    ...ownership(),
  },
  (table) => [primaryKey({ columns: [table.organizationId, table.id] })],
)
