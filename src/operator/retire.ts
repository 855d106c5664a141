import { auditing } from '../db/audit.ts'
import { findOrganization } from '../db/organization.ts'
import type { DeclaredRecord } from '../db/record.ts'
import { carryOut, inOrganization, type Transaction } from '../db/transaction.ts'
import { claimOf } from '../domain/ownership.ts'
import { type Concept, recordEvent } from './declare.ts'
import { type OperatorDependencies, operatorActor, ownerOf } from './dependencies.ts'
import { type Belonging, parentOf } from './reference.ts'

/**
 * Deals with the record of a deleted resource: purges it, or keeps it marked. Needs neither the parent's resource nor a
 * Secret, which may be gone already. A record of somebody else's stays as it is.
 * @param how.purge the statements that delete the record for good; left out: it is kept with the values of `retained`
 * @returns the record as it was, or undefined when there was nothing to do
 */
export async function retire<Row extends DeclaredRecord>(
  deps: OperatorDependencies,
  concept: Concept<Row>,
  object: Belonging,
  how: {
    readonly purge: ((id: string) => readonly string[]) | undefined
    readonly retained?: Partial<Row>
    /** What else goes, in the same transaction. */
    readonly before?: (row: Row) => readonly string[]
  },
): Promise<Row | undefined> {
  const owner = ownerOf(deps, object)
  const organization = await findOrganization(deps.pool, parentOf(deps, object))
  if (!organization) return undefined
  const tenant = { organizationId: organization.id, actor: operatorActor, fence: deps.fence() }
  const remove = async (tx: Transaction, row: Row | undefined) => {
    if (!row || claimOf(row, owner) !== 'ours') return undefined
    if (row.deletedAt && !how.purge) return row
    const event = recordEvent(concept.name, how.purge ? 'deleted' : 'retained', row)
    const gone = how.purge?.(row.id) ?? [concept.store.update(row.id, how.retained ?? {})]
    await carryOut(tx, [...(how.before?.(row) ?? []), ...gone, auditing(event)], [])
    return row
  }
  return inOrganization(deps.pool, tenant, remove, [concept.store.of(owner)])
}
