import { appendAudit } from '../db/audit.ts'
import { findOrganization } from '../db/organization.ts'
import type { DeclaredRecord } from '../db/record.ts'
import { inOrganization, type Transaction } from '../db/transaction.ts'
import { claimOf } from '../domain/ownership.ts'
import { type Concept, recordEvent } from './declare.ts'
import { type OperatorDependencies, operatorActor, ownerOf } from './dependencies.ts'
import type { Belonging } from './reference.ts'

/**
 * Deals with the record of a deleted resource: purges it, or keeps it marked. Needs neither the parent's resource nor a
 * Secret, which may be gone already. A record of somebody else's stays as it is.
 * @param how.purge deletes the record for good; left out: it is kept with the values of `retained`
 * @returns the record as it was, or undefined when there was nothing to do
 */
export async function retire<Row extends DeclaredRecord>(
  deps: OperatorDependencies,
  concept: Concept<Row>,
  object: Belonging,
  how: {
    readonly purge: ((tx: Transaction, id: string) => Promise<void>) | undefined
    readonly retained?: Partial<Row>
    /** What else goes, in the same transaction. */
    readonly before?: (tx: Transaction, row: Row) => Promise<void>
  },
): Promise<Row | undefined> {
  const owner = ownerOf(deps, object)
  const parent = { ...owner, name: object.spec.organizationRef.name }
  const organization = await findOrganization(deps.pool, parent)
  if (!organization) return undefined
  const tenant = { organizationId: organization.id, actor: operatorActor, fence: deps.fence() }
  return inOrganization(deps.pool, tenant, async (tx) => {
    const row = await concept.store.find(tx, owner)
    if (!row || claimOf(row, owner) !== 'ours') return undefined
    if (row.deletedAt && !how.purge) return row
    await how.before?.(tx, row)
    if (how.purge) await how.purge(tx, row.id)
    else await concept.store.update(tx, row.id, how.retained ?? {})
    await appendAudit(tx, [recordEvent(concept.name, how.purge ? 'deleted' : 'retained', row)])
    return row
  })
}
