import { auditing } from '../../db/audit.ts'
import {
  allDataKeys,
  type DataKeyRow,
  dataKeyStatements,
  isSameDataKey,
  sealingDataKey,
} from '../../db/datakey.ts'
import {
  lockedRows,
  resealing,
  rowsToReseal,
  type SealedRow,
  type SealedTable,
  unusedDataKeys,
} from '../../db/sealed.ts'
import { carryOut, inOrganization } from '../../db/transaction.ts'
import type { NamespaceDataKeys } from '../../encryption/datakeys.ts'
import { ConflictError } from '../../k8s/errors.ts'
import type { Column } from '../../kms/column.ts'
import { KeyManagementError } from '../../kms/keymanagement.ts'
import { recordEvent } from '../declare.ts'
import { type OperatorDependencies, operatorActor } from '../dependencies.ts'
import type { Hindrances } from './rewrap.ts'

type Dependencies = Pick<OperatorDependencies, 'pool' | 'dataKeys' | 'fence'>

interface Tenant {
  readonly organizationId: string
  readonly name: string
  /** Whose keys may have wrapped its data keys. */
  readonly namespace: string | null
}

type Resealed = SealedRow & { readonly derived: Readonly<Record<string, string>> }

/**
 * Seals the next rows of a table under the organization's active data key, in one transaction. A row that somebody changed
 * meanwhile is left.
 * @returns the id to go on behind; undefined when there is no more
 * @throws KeyManagementError when it is of no use to go on now
 */
export async function resealRows(
  deps: Dependencies,
  tenant: Tenant,
  table: SealedTable,
  hindrances: Hindrances,
  page: { readonly after: string | undefined; readonly limit: number },
): Promise<string | undefined> {
  const { organizationId } = tenant
  const reader = { organizationId, actor: operatorActor }
  const keys = await inOrganization(deps.pool, reader, async (_tx, found) => found, [allDataKeys])
  const active = keys.find(({ retiredAt }) => retiredAt === null)
  if (!active) return undefined
  const stale = rowsToReseal(table, active.version, page)
  const rows = await inOrganization(deps.pool, reader, async (_tx, found) => found, [stale])
  const next = rows.length < page.limit ? undefined : rows.at(-1)?.id
  const resealed = new Map<string, { former: SealedRow; row: Resealed }>()
  for (const former of rows) {
    const row = await sealAnew(deps, { tenant, table, keys, active, hindrances }, former)
    if (row) resealed.set(former.id, { former, row })
  }
  if (resealed.size === 0) return next
  await inOrganization(
    deps.pool,
    { ...reader, fence: deps.fence() },
    async (tx, locked, sealing) => {
      if (!isSameDataKey(active, sealing)) {
        throw new ConflictError('another data key seals by now')
      }
      const updates = locked.flatMap((now) => {
        const found = resealed.get(now.id)
        const same = found?.former.sealed.equals(now.sealed)
        return found && same ? [resealing(table, found.row, found.row.derived)] : []
      })
      if (updates.length === 0) return
      const detail = { table: table.table, rows: updates.length, dataKeyVersion: active.version }
      const record = { ...tenant, id: organizationId }
      const event = recordEvent('organization', 'resealed', record, detail)
      await carryOut(tx, [...updates, auditing(event)], [])
    },
    [lockedRows(table, [...resealed.keys()]), sealingDataKey],
  )
  return next
}

/** The row under the active data key; undefined when it does not open, which is noted. */
async function sealAnew(
  { dataKeys }: Dependencies,
  work: {
    readonly tenant: Tenant
    readonly table: SealedTable
    readonly keys: readonly DataKeyRow[]
    readonly active: DataKeyRow
    readonly hindrances: Hindrances
  },
  former: SealedRow,
): Promise<Resealed | undefined> {
  const { table, active, tenant } = work
  const { organizationId, namespace } = tenant
  const dataKeyVersion = active.version
  const own = dataKeys.of(namespace)
  if (former.sealed.length === 0) return { ...former, dataKeyVersion, derived: {} }
  const { rowId } = former
  const place: Column = { organizationId, table: table.table, rowId, column: table.column }
  const value = await openFormer(own, work, place, former)
  if (!value) return undefined
  try {
    const sealed = await own.seal(active, place, value)
    const derive = (key: Buffer) => table.derived?.(key, organizationId, value) ?? {}
    const derived = await own.derive(active, derive)
    return { ...former, sealed, dataKeyVersion, derived }
  } finally {
    value.fill(0)
  }
}

async function openFormer(
  own: NamespaceDataKeys,
  { keys, hindrances }: { readonly keys: readonly DataKeyRow[]; readonly hindrances: Hindrances },
  place: Column,
  { dataKeyVersion, sealed }: SealedRow,
): Promise<Buffer | undefined> {
  const key = keys.find(({ version }) => version === dataKeyVersion)
  try {
    if (key) return await own.open(key, place, sealed)
  } catch (error) {
    if (!(error instanceof KeyManagementError) || error.code !== 'refused') throw error
  }
  hindrances.altered += 1
  return undefined
}

/** Deletes the retired data keys of an organization that seal nothing any more. @returns how many */
export async function dropUnusedDataKeys(
  deps: Dependencies,
  { organizationId, name }: Tenant,
  tables: readonly SealedTable[],
): Promise<number> {
  const writer = { organizationId, actor: operatorActor, fence: deps.fence() }
  return inOrganization(
    deps.pool,
    writer,
    async (tx, versions) => {
      if (versions.length === 0) return 0
      const record = { organizationId, id: organizationId, name }
      const event = recordEvent('organization', 'data_key_deleted', record, { versions })
      await carryOut(tx, [...versions.map(dataKeyStatements.deletion), auditing(event)], [])
      return versions.length
    },
    [unusedDataKeys(tables)],
  )
}
