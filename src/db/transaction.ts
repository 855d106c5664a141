import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres'
import { escapeLiteral, type Pool, type PoolClient, type QueryResult } from 'pg'

/** Drizzle on the connection of an open transaction. */
export type Transaction = NodePgDatabase

/** The leadership that a writer acts under. */
export interface Fence {
  readonly installation: string
  /** As a decimal: PostgreSQL's bigint. */
  readonly epoch: string
}

/** Another operator leads by now: whoever is told this must stop. */
export class FencedError extends Error {
  override readonly name = 'FencedError'
}

export interface TransactionOptions {
  /** The tenant; every row that the transaction sees or writes is this organization's. */
  readonly organizationId: string
  /** Who acts, for the change feed: a change without an actor was made by hand. */
  readonly actor: string
  /** Left out by readers. */
  readonly fence?: Fence
}

/** A frozen leader's transaction would keep its share lock, and the next leader waiting, for ever. */
const frozen = '10s'
const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/**
 * Runs `work` in one transaction with the tenant set, and the fence held until its commit.
 * @throws FencedError when the fence's epoch is over; whatever `work` or PostgreSQL throws
 */
export async function inOrganization<T>(
  pool: Pool,
  options: TransactionOptions,
  work: (tx: Transaction) => Promise<T>,
): Promise<T> {
  if (!uuid.test(options.organizationId)) throw new TypeError('an organization id is a UUID')
  const client = await pool.connect()
  let broken: Error | undefined
  try {
    await begin(client, options)
    const result = await work(drizzle({ client }))
    await client.query('commit')
    return result
  } catch (error) {
    // A connection whose rollback fails is not given back: its transaction, and its tenant, may still be open.
    await client.query('rollback').catch((failure: Error) => {
      broken = failure
    })
    throw error
  } finally {
    client.release(broken)
  }
}

/** One round trip: the transaction, its tenant, its actor and, for a writer, the fence. */
async function begin(client: PoolClient, options: TransactionOptions): Promise<void> {
  const settings = `select set_config('cardea.organization_id', ${escapeLiteral(options.organizationId)}, true),
    set_config('cardea.actor', ${escapeLiteral(options.actor)}, true)`
  if (!options.fence) {
    await client.query(`begin read only; ${settings}`)
    return
  }
  const { installation, epoch } = options.fence
  // The share lock lasts until the commit, so a new leader's epoch cannot slip in between this check and the write.
  const results = (await client.query(
    `begin; set local idle_in_transaction_session_timeout = '${frozen}'; ${settings}; select from cardea.leadership where installation = ${escapeLiteral(installation)} and epoch = ${escapeLiteral(epoch)} for share`,
  )) as unknown as QueryResult[]
  if (results.at(-1)?.rowCount !== 1) {
    throw new FencedError(
      `another operator leads installation ${installation} since epoch ${epoch}`,
    )
  }
}
