import { and, eq, or } from 'drizzle-orm'
import type { AnyPgColumn, PgTable } from 'drizzle-orm/pg-core'
import { claimOf, type Owned, type Owner } from '../domain/ownership.ts'
import type { Transaction } from './transaction.ts'

/** What every record of an organization has; the columns of its own are the concept's. */
export interface DeclaredRecord extends Owned {
  readonly organizationId: string
  readonly id: string
  readonly name: string
  readonly deletedAt?: Date | null
}

type RecordTable = PgTable & {
  readonly organizationId: AnyPgColumn
  readonly id: AnyPgColumn
  readonly name: AnyPgColumn
  readonly ownerInstallation: AnyPgColumn
  readonly ownerNamespace: AnyPgColumn
  readonly ownerName: AnyPgColumn
}

/** The operations that projects, roles, bindings and API keys have in common. The tenant is the transaction's. */
export interface RecordStore<Row extends DeclaredRecord> {
  /** The owner's record, whatever it is called by now; else the record that has its name. */
  readonly find: (tx: Transaction, owner: Owner) => Promise<Row | undefined>
  readonly insert: (tx: Transaction, values: Partial<Row>) => Promise<Row>
  readonly update: (tx: Transaction, id: string, values: Partial<Row>) => Promise<Row>
  readonly remove: (tx: Transaction, id: string) => Promise<void>
}

export function recordStore<Row extends DeclaredRecord>(table: RecordTable): RecordStore<Row> {
  const one = (rows: readonly unknown[]): Row => {
    if (rows.length !== 1) throw new Error(`${rows.length} rows where one was meant`)
    return rows[0] as Row
  }
  return {
    async find(tx, owner) {
      const owned = and(
        eq(table.ownerInstallation, owner.installation),
        eq(table.ownerNamespace, owner.namespace),
        eq(table.ownerName, owner.name),
      )
      const rows = (await tx
        .select()
        .from(table)
        .where(or(owned, eq(table.name, owner.name)))) as Row[]
      return rows.find((row) => claimOf(row, owner) === 'ours') ?? rows[0]
    },
    async insert(tx, values) {
      return one(await tx.insert(table).values(values).returning())
    },
    async update(tx, id, values) {
      return one(await tx.update(table).set(values).where(eq(table.id, id)).returning())
    },
    async remove(tx, id) {
      await tx.delete(table).where(eq(table.id, id))
    },
  }
}
