import { auditing } from '../db/audit.ts'
import { type DataKeyRow, dataKeyOf, dataKeyStatements } from '../db/datakey.ts'
import { nextDataKeyVersion } from '../db/encryption.ts'
import { type OrganizationRow, serializeOrganization } from '../db/organization.ts'
import { carryOut, inOrganization, type Transaction } from '../db/transaction.ts'
import { makeDataKey } from '../encryption/datakey.ts'
import { ConflictError } from '../k8s/errors.ts'
import { recordEvent } from './declare.ts'
import { kekOf, type OperatorDependencies, operatorActor } from './dependencies.ts'

/**
 * The data key that seals for an organization from now on; it is made when the first value is to be sealed.
 * @param known the organization's data keys as they were seen, and the version of the next
 * @throws KeyManagementError; ConflictError when another version was made meanwhile
 */
export async function activeDataKey(
  deps: OperatorDependencies,
  organization: OrganizationRow,
  known: { readonly dataKeys: readonly DataKeyRow[]; readonly nextDataKey: number },
  signal: AbortSignal,
): Promise<DataKeyRow> {
  const active = known.dataKeys.find(({ retiredAt }) => retiredAt === null)
  if (active) return active
  const version = known.nextDataKey
  // Before the transaction: no lock is held while the KMS is asked.
  const made = await makeDataKey(
    kekOf(deps, organization),
    deps.keyring.of(organization.ownerNamespace),
    organization.id,
    version,
    signal,
  )
  const tenant = {
    organizationId: organization.id,
    actor: operatorActor,
    fence: deps.fence(),
  }
  return inOrganization(deps.pool, tenant, async (tx: Transaction) => {
    await serializeOrganization(tx, organization.id)
    // Read with the lock held, or two would make a key each.
    const [another, next] = await carryOut(tx, [], [dataKeyOf(), nextDataKeyVersion])
    if (another) return another
    if (next !== version) throw new ConflictError('the versions changed meanwhile')
    const detail = { version, kek: made.kek }
    const record = { ...organization, organizationId: organization.id }
    const event = auditing(recordEvent('organization', 'data_key_created', record, detail))
    const [inserted] = await carryOut(tx, [dataKeyStatements.insertion(made), event], [dataKeyOf()])
    if (!inserted) throw new Error('the data key is not there')
    return inserted
  })
}
