import { sql } from 'drizzle-orm'
import { jsonb, primaryKey, text, uuid } from 'drizzle-orm/pg-core'
import { cardea, ownership } from './schema.ts'

export interface Subject {
  readonly kind: 'User' | 'Group' | 'APIKey'
  readonly name: string
}

export const roleBindings = cardea.table(
  'role_bindings',
  {
    organizationId: uuid('organization_id').notNull(),
    id: uuid().notNull().default(sql`uuidv7()`),
    name: text().notNull(),
    projectId: uuid('project_id'),
    role: text().notNull(),
    subjects: jsonb().$type<readonly Subject[]>().notNull(),
    ...ownership(),
  },
  (table) => [primaryKey({ columns: [table.organizationId, table.id] })],
)
