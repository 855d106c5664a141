import { auditing } from '../db/audit.ts'
import { type DataKeyRow, dataKeyOf, dataKeyStatements } from '../db/datakey.ts'
import { nextDataKeyVersion } from '../db/encryption.ts'
import { serializeOrganization } from '../db/organization.ts'
import { carryOut, inOrganization } from '../db/transaction.ts'
import { makeDataKey } from '../encryption/datakey.ts'
import { ConflictError } from '../k8s/errors.ts'
import { recordEvent } from './declare.ts'
import { kekOf, type OperatorDependencies, operatorActor } from './dependencies.ts'

type Dependencies = Pick<OperatorDependencies, 'pool' | 'keyring' | 'fence'>

/** The organization that a data key is for. */
export interface DataKeyTenant {
  readonly organizationId: string
  readonly name: string
  readonly encryptionKey: unknown
  readonly ownerNamespace: string | null
}

/** The organization's data keys as they were seen: the one that seals, and the version of the next. */
interface Known {
  readonly active: DataKeyRow | undefined
  readonly next: number
}

const readings = [dataKeyOf(), nextDataKeyVersion] as const

/**
 * The data key that seals for an organization; it is made when there is none.
 * @param known looked up when left out
 * @throws KeyManagementError; ConflictError when the keys changed meanwhile
 */
export async function activeDataKey(
  deps: Dependencies,
  tenant: DataKeyTenant,
  signal: AbortSignal | undefined,
  known?: Known,
): Promise<DataKeyRow> {
  const seen = known ?? (await look(deps, tenant))
  return seen.active ?? makeActive(deps, tenant, seen, null, signal)
}

/**
 * Gives an organization a new data key, which seals from now on; the former one is retired and opens what it sealed.
 * @param request what asked for it: asked for again, as after a failure half-way through many organizations, nothing is done
 * @throws KeyManagementError; ConflictError when the keys changed meanwhile
 */
export async function rotateDataKey(
  deps: Dependencies,
  tenant: DataKeyTenant,
  signal: AbortSignal,
  request: string | null = null,
): Promise<void> {
  const seen = await look(deps, tenant)
  if (request !== null && seen.active?.rotationRequest === request) return
  await makeActive(deps, tenant, seen, request, signal)
}

async function look(deps: Dependencies, { organizationId }: DataKeyTenant): Promise<Known> {
  const reader = { organizationId, actor: operatorActor }
  const work = async (_tx: unknown, active: DataKeyRow | undefined, next: number) => {
    return { active, next }
  }
  return inOrganization(deps.pool, reader, work, readings)
}

async function makeActive(
  deps: Dependencies,
  tenant: DataKeyTenant,
  { active: former, next: version }: Known,
  rotationRequest: string | null,
  signal: AbortSignal | undefined,
): Promise<DataKeyRow> {
  const { organizationId, name, ownerNamespace } = tenant
  const reader = deps.keyring.of(ownerNamespace)
  // Wrapped before the transaction: a slow KMS must not hold the fence.
  const made = await makeDataKey(kekOf(deps, tenant), reader, organizationId, version, signal)
  const writer = { organizationId, actor: operatorActor, fence: deps.fence() }
  return inOrganization(deps.pool, writer, async (tx) => {
    await serializeOrganization(tx, organizationId)
    // Read with the lock held, or two would make a key each.
    const [now, next] = await carryOut(tx, [], readings)
    if (!former && now) return now
    if (now?.version !== former?.version || next !== version) {
      throw new ConflictError('another data key was made meanwhile')
    }
    const record = { organizationId, id: organizationId, name }
    const verb = former ? 'data_key_rotated' : 'data_key_created'
    const event = recordEvent('organization', verb, record, { version, kek: made.kek })
    const statements = [
      ...(former ? [dataKeyStatements.retirement(former.version)] : []),
      dataKeyStatements.insertion({ ...made, rotationRequest }),
      auditing(event),
    ]
    const [inserted] = await carryOut(tx, statements, [dataKeyOf()])
    if (!inserted) throw new Error('the data key is not there')
    return inserted
  })
}
