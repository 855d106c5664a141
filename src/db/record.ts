import type { PgTable } from 'drizzle-orm/pg-core'
import { claimOf, type Owned, type Owner } from '../domain/ownership.ts'
import { deletion, insertion, literal, type Reading, readingsOf, update } from './statement.ts'

/** What every record of an organization has; the columns of its own are the concept's. */
export interface DeclaredRecord extends Owned {
  readonly organizationId: string
  readonly id: string
  readonly name: string
  readonly deletedAt?: Date | null
}

/** The operations that projects, roles, bindings and API keys have in common. The tenant is the transaction's. */
export interface RecordStore<Row extends DeclaredRecord> {
  /** The owner's record, whatever it is called by now; else the record that has its name. */
  readonly of: (owner: Owner) => Reading<Row | undefined>
  readonly insertion: (values: Partial<Row>) => string
  readonly update: (id: string, values: Partial<Row>) => string
  readonly deletion: (id: string) => string
}

export function recordStore<Row extends DeclaredRecord>(
  table: PgTable & { readonly $inferSelect: Row },
): RecordStore<Row> {
  const reading = readingsOf(table)
  return {
    of: (owner) =>
      reading(
        `where ${isOf(owner)}`,
        (rows) => rows.find((row) => claimOf(row, owner) === 'ours') ?? rows[0],
      ),
    insertion: (values) => insertion(table, [values]),
    update: (id, values) => update(table, id, values),
    deletion: (id) => deletion(table, [id]),
  }
}

/** A record's condition in SQL: that it is the owner's, or has its name. */
export function isOf({ installation, namespace, name }: Owner): string {
  const owner = [installation, namespace, name].map(literal).join(', ')
  return `((owner_installation, owner_namespace, owner_name) = (${owner}) or name = ${literal(name)})`
}
