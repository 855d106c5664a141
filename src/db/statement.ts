import { getTableColumns } from 'drizzle-orm'
import { getTableConfig, type PgColumn, type PgTable } from 'drizzle-orm/pg-core'

type Raw = Readonly<Record<string, unknown>>

/**
 * A query that carries its values in its text, because PostgreSQL takes several queries in one message only without
 * parameters; and what its answer means.
 */
export interface Reading<T> {
  readonly text: string
  readonly decode: (rows: readonly Raw[]) => T
}

/** What a list of readings gives, each in its place. */
export type Read<R extends readonly Reading<unknown>[]> = {
  [K in keyof R]: R[K] extends Reading<infer T> ? T : never
}

/**
 * Readings of whole rows of a table.
 * @returns a function from what stands behind `from <table>`, with every value a `literal`, and what to make of the rows
 */
export function readingsOf<Table extends PgTable>(table: Table) {
  type Row = Table['$inferSelect']
  const columns = Object.entries(getTableColumns(table))
  const list = columns.map(([key, column]) => `"${column.name}" as "${key}"`).join(', ')
  const row = (raw: Raw): Row => {
    const values = columns.map(([key, column]) => {
      const value = raw[key]
      return [key, value === null ? null : column.mapFromDriverValue(value)]
    })
    return Object.fromEntries(values) as Row
  }
  return <T>(rest: string, pick: (rows: readonly Row[]) => T): Reading<T> => ({
    text: `select ${list} from ${nameOf(table)} ${rest}`,
    decode: (rows) => pick(rows.map(row)),
  })
}

/** Stands where there is nothing to read. */
export const nothing: Reading<undefined> = { text: 'select', decode: () => undefined }

/**
 * A value in a query's text. As pg's `escapeLiteral`, which makes a string anew of each character: of a sign-in's texts, 45 KB.
 * @throws TypeError when it has a NUL, at which PostgreSQL would take the text to end
 */
export function literal(value: string): string {
  if (value.includes('\0')) throw new TypeError('PostgreSQL keeps no NUL')
  const quoted = `'${value.replaceAll("'", "''")}'`
  // Read alike, whether or not the server's strings conform to the standard.
  return value.includes('\\') ? ` E${quoted.replaceAll('\\', '\\\\')}` : quoted
}

/**
 * A whole number in a query's text.
 * @throws TypeError when it is none, or larger than JavaScript can tell from the next
 */
export function integer(value: number): string {
  if (!Number.isSafeInteger(value)) throw new TypeError(`${value} is no whole number`)
  return String(value)
}

/** Inserts rows of the same columns; what is left out has its default. */
export function insertion(table: PgTable, rows: readonly object[]): string {
  const columns = columnsOf(table, rows[0] ?? {})
  const names = columns.map(([, column]) => `"${column.name}"`).join(', ')
  const tuples = rows.map((row) => `(${columns.map((entry) => valueOf(row, entry)).join(', ')})`)
  return `insert into ${nameOf(table)} (${names}) values ${tuples.join(', ')}`
}

/** Inserts a row unless there is another: only the columns that it sets. @param other a query */
export function insertionUnless(table: PgTable, row: object, other: string): string {
  const columns = columnsOf(table, row)
  const names = columns.map(([, column]) => `"${column.name}"`).join(', ')
  const values = columns.map((entry) => valueOf(row, entry)).join(', ')
  return `insert into ${nameOf(table)} (${names}) select ${values} where not exists (${other})`
}

/** Sets values of the row that has an id. */
export function update(table: PgTable, id: string, values: object): string {
  const set = columnsOf(table, values).map((e) => `"${e[1].name}" = ${valueOf(values, e)}`)
  return `update ${nameOf(table)} set ${set.join(', ')} where id = ${literal(id)}`
}

/** Deletes the rows that have one of the ids. */
export function deletion(table: PgTable, ids: readonly string[]): string {
  return `delete from ${nameOf(table)} where id in (${ids.map(literal).join(', ')})`
}

type Entry = readonly [key: string, column: PgColumn]

function columnsOf(table: PgTable, values: object): readonly Entry[] {
  return Object.entries(getTableColumns(table) as Record<string, PgColumn>).filter(
    ([key]) => (values as Raw)[key] !== undefined,
  )
}

function valueOf(values: object, [key, column]: Entry): string {
  const value = (values as Raw)[key] ?? null
  if (value === null) return 'null'
  const given = column.mapToDriverValue(value)
  return literal(Buffer.isBuffer(given) ? `\\x${given.toString('hex')}` : String(given))
}

function nameOf(table: PgTable): string {
  const { schema, name } = getTableConfig(table)
  return `"${schema}"."${name}"`
}
