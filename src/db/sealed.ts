import { integer, literal, type Reading } from './statement.ts'

/**
 * A table of tenants with a column that data keys seal. Beside that one (bytea) it has organization_id, id and
 * data_key_version, the version of the data key; an empty value is sealed by none.
 */
export interface SealedTable {
  /** In the schema cardea. */
  readonly table: string
  readonly column: string
  /** SQL for the name of a row that its value is bound to. */
  readonly rowId: string
  /** Text columns that are made from a value and the data key that seals it: they are made anew along with it. */
  readonly derived?: (
    dataKey: Uint8Array,
    organizationId: string,
    value: Buffer,
  ) => Readonly<Record<string, string>>
}

export interface SealedRow {
  readonly id: string
  /** What the value is bound to. */
  readonly rowId: string
  readonly dataKeyVersion: number
  readonly sealed: Buffer
}

/** Rows of the transaction's organization that another data key than `active` sealed, in the order of their ids. */
export function rowsToReseal(
  table: SealedTable,
  active: number,
  page: { readonly after: string | undefined; readonly limit: number },
): Reading<readonly SealedRow[]> {
  const after = page.after === undefined ? '' : `and id > ${literal(page.after)}`
  return rowsOf(
    table,
    `where data_key_version <> ${integer(active)} ${after} order by id limit ${integer(page.limit)}`,
  )
}

/** These rows as they are now, locked until the end of the transaction. */
export function lockedRows(
  table: SealedTable,
  ids: readonly string[],
): Reading<readonly SealedRow[]> {
  const list = ids.map(literal).join(', ')
  return rowsOf(table, `where id in (${list || 'null'}) order by id for update`)
}

/** Puts what another data key sealed in the place of what is there. */
export function resealing(
  { table, column }: SealedTable,
  row: SealedRow,
  derived: Readonly<Record<string, string>>,
): string {
  const values = [
    `"${column}" = ${literal(`\\x${row.sealed.toString('hex')}`)}`,
    `data_key_version = ${integer(row.dataKeyVersion)}`,
    ...Object.entries(derived).map(([name, value]) => `"${name}" = ${literal(value)}`),
  ]
  return `update cardea."${table}" set ${values.join(', ')} where id = ${literal(row.id)}`
}

/**
 * Versions of retired data keys of the transaction's organization that seal nothing any more, locked. Whoever seals locks the
 * active data key until its commit, so none is on its way.
 */
export function unusedDataKeys(tables: readonly SealedTable[]): Reading<readonly number[]> {
  const unused = tables.map(
    ({ table }) =>
      `and not exists (select from cardea."${table}" s where s.organization_id = d.organization_id and s.data_key_version = d.version)`,
  )
  return {
    text: `select version from cardea_keys.data_keys d
      where retired_at is not null ${unused.join(' ')} for update`,
    decode: (rows) => rows.map((row) => row['version'] as number),
  }
}

function rowsOf(
  { table, column, rowId }: SealedTable,
  rest: string,
): Reading<readonly SealedRow[]> {
  return {
    text: `select id, ${rowId} as "rowId", data_key_version as "dataKeyVersion", "${column}" as sealed from cardea."${table}" ${rest}`,
    decode: (rows) => rows as unknown as readonly SealedRow[],
  }
}
