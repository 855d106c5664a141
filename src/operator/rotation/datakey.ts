import { auditing } from '../../db/audit.ts'
import { type DataKeyRow, dataKeyOf, dataKeyStatements } from '../../db/datakey.ts'
import { nextDataKeyVersion } from '../../db/encryption.ts'
import { serializeOrganization } from '../../db/organization.ts'
import { carryOut, inOrganization } from '../../db/transaction.ts'
import { makeDataKey } from '../../encryption/datakey.ts'
import { ConflictError } from '../../k8s/errors.ts'
import { recordEvent } from '../declare.ts'
import { kekOf, type OperatorDependencies, operatorActor } from '../dependencies.ts'

type Dependencies = Pick<OperatorDependencies, 'pool' | 'keyring' | 'fence'>

/** The organization that a data key is for. */
interface Tenant {
  readonly organizationId: string
  readonly name: string
  readonly encryptionKey: unknown
  readonly ownerNamespace: string | null
}

/**
 * Gives an organization a new data key, which seals from now on; the former one, if there is one, is retired and opens what it
 * sealed. A first one that somebody else made meanwhile is as good.
 * @throws KeyManagementError; ConflictError when another was rotated to meanwhile
 */
export async function replaceDataKey(
  deps: Dependencies,
  tenant: Tenant,
  signal?: AbortSignal,
): Promise<void> {
  const { organizationId, name } = tenant
  const reader = { organizationId, actor: operatorActor }
  const readings = [dataKeyOf(), nextDataKeyVersion] as const
  const look = async (_tx: unknown, active: DataKeyRow | undefined, next: number) => ({
    active,
    next,
  })
  const { active, next } = await inOrganization(deps.pool, reader, look, readings)
  // Wrapped before the transaction: a slow KMS must not hold the fence.
  const made = await makeDataKey(
    kekOf(deps, tenant),
    deps.keyring.of(tenant.ownerNamespace),
    organizationId,
    next,
    signal,
  )
  const writer = { ...reader, fence: deps.fence() }
  await inOrganization(deps.pool, writer, async (tx) => {
    await serializeOrganization(tx, organizationId)
    // Read with the lock held, or two would make a key each.
    const [activeNow, nextNow] = await carryOut(tx, [], readings)
    if (!active && activeNow) return
    if (activeNow?.version !== active?.version || nextNow !== next) {
      throw new ConflictError('another data key was made meanwhile')
    }
    const record = { organizationId, id: organizationId, name }
    const verb = active ? 'data_key_rotated' : 'data_key_created'
    const event = recordEvent('organization', verb, record, { version: next, kek: made.kek })
    const retirement = active ? [dataKeyStatements.retirement(active.version)] : []
    const statements = [...retirement, dataKeyStatements.insertion(made), auditing(event)]
    await carryOut(tx, statements, [])
  })
}
