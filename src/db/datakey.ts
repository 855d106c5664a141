import { insertion, integer, literal, type Reading, readingsOf } from './statement.ts'
import { dataKeys } from './tables/datakey.ts'

export type DataKeyRow = typeof dataKeys.$inferSelect

const reading = readingsOf(dataKeys)

/** Data keys of the transaction's organization. @param rest SQL from behind `where` */
export function dataKeysWhere(rest: string): Reading<readonly DataKeyRow[]> {
  return reading(`where ${rest}`, (rows) => rows)
}

/** The data keys of the transaction's organization, the newest first. */
export const allDataKeys: Reading<readonly DataKeyRow[]> = reading(
  'order by version desc',
  (rows) => rows,
)

/** The data key of a version; without one, the key that seals now. */
export function dataKeyOf(version?: number): Reading<DataKeyRow | undefined> {
  const which = version === undefined ? 'retired_at is null' : `version = ${integer(version)}`
  return reading(`where ${which}`, ([row]) => row)
}

/** The data key that seals, held until the end of the transaction: whoever retires it waits, and sees what it sealed. */
export const sealingDataKey: Reading<DataKeyRow | undefined> = {
  ...dataKeyOf(),
  text: `${dataKeyOf().text} for share`,
}

/**
 * Whether a row is the data key that a value was sealed with. After a failover that lost the one, another may have its version.
 * How it is wrapped is no part of it: that changes with its KEK.
 */
export function isSameDataKey(
  sealing: DataKeyRow | undefined,
  now: DataKeyRow | undefined,
): boolean {
  return (
    sealing !== undefined &&
    sealing.version === now?.version &&
    sealing.createdAt.getTime() === now.createdAt.getTime()
  )
}

export const dataKeyStatements = {
  insertion: (row: typeof dataKeys.$inferInsert): string => insertion(dataKeys, [row]),
  /** Lets another seal from now on. */
  retirement: (version: number): string =>
    `update cardea_keys.data_keys set retired_at = now() where version = ${integer(version)}`,
  /** Puts the wrapping of another KEK in the place of this one. */
  rewrapping: (version: number, { kek, wrapped }: Pick<DataKeyRow, 'kek' | 'wrapped'>): string =>
    `update cardea_keys.data_keys set kek = ${literal(JSON.stringify(kek))}, wrapped = ${literal(`\\x${wrapped.toString('hex')}`)} where version = ${integer(version)}`,
  deletion: (version: number): string =>
    `delete from cardea_keys.data_keys where version = ${integer(version)}`,
  /** Destroys all data keys of the transaction's organization, for good. */
  erasure: 'select cardea_keys.erase()',
}
