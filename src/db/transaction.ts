import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres'
import type { Pool, PoolClient, QueryResult } from 'pg'
import type { Owner } from '../domain/ownership.ts'
import { isUuid } from '../domain/uuid.ts'
import { literal, type Read, type Reading } from './statement.ts'

/** Drizzle on the connection of an open transaction. */
export type Transaction = NodePgDatabase & { readonly $client: PoolClient }

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

/**
 * For how long a transaction that writes may last, waiting included. A frozen leader's would keep its share lock, and the next
 * leader waiting, for ever; and ended only when they are idle, those that wait for each other would end one after the other.
 */
const longest = "set local transaction_timeout = '10s'"

/**
 * Runs `work` in one transaction with the tenant set, and the fence held until its commit.
 * @param readings what `work` begins with; they take no round trip of their own
 * @throws FencedError when the fence's epoch is over; whatever `work` or PostgreSQL throws
 */
export async function inOrganization<T, const R extends readonly Reading<unknown>[] = []>(
  pool: Pool,
  options: TransactionOptions,
  work: (tx: Transaction, ...read: Read<R>) => Promise<T>,
  readings?: R,
): Promise<T> {
  if (!isUuid(options.organizationId)) throw new TypeError('an organization id is a UUID')
  return withClient(pool, async (client) => {
    const read = await begin(client, options, readings ?? ([] as unknown as R))
    return finish(drizzle({ client }), (tx) => work(tx, ...read))
  })
}

/**
 * Runs `work` in one transaction that writes with the tenant set, for the auth service, which no fence holds: what it writes
 * is guarded row by row.
 * @throws whatever `work` or PostgreSQL throws
 */
export async function writeInOrganization<T, const R extends readonly Reading<unknown>[] = []>(
  pool: Pool,
  { organizationId, actor }: Omit<TransactionOptions, 'fence'>,
  work: (tx: Transaction, ...read: Read<R>) => Promise<T>,
  readings?: R,
): Promise<T> {
  const wanted = readings ?? ([] as unknown as R)
  if (!isUuid(organizationId)) throw new TypeError('an organization id is a UUID')
  const texts = ['begin', longest, acting(organizationId, actor)]
  return withClient(pool, async (client) => {
    const results = await send(client, [...texts, ...wanted.map(({ text }) => text)])
    const read = decode(wanted, results.slice(texts.length))
    return finish(drizzle({ client }), (tx) => work(tx, ...read))
  })
}

/**
 * Runs `work` in one transaction without a tenant, with the fence held until its commit: for what belongs to the
 * installation.
 * @throws FencedError when the fence's epoch is over; whatever `work` or PostgreSQL throws
 */
export async function inInstallation<T, const R extends readonly Reading<unknown>[]>(
  pool: Pool,
  options: { readonly actor: string; readonly fence: Fence },
  work: (tx: Transaction, ...read: Read<R>) => Promise<T>,
  readings: R,
): Promise<T> {
  return withClient(pool, async (client) => {
    const read = await begin(client, { ...options, organizationId: '' }, readings)
    return finish(drizzle({ client }), (tx) => work(tx, ...read))
  })
}

/**
 * Reads, in one round trip and one transaction, what belongs to the organization that a resource declares. When there is
 * none, nothing is found.
 */
export async function readInOrganization<const R extends readonly Reading<unknown>[]>(
  pool: Pool,
  { installation, namespace, name }: Owner,
  readings: R,
): Promise<Read<R>> {
  const owner = [installation, namespace, name].map(literal).join(', ')
  const tenant = `select set_config('cardea.organization_id', coalesce((select id::text from cardea.find_organization(${owner})), ''), true)`
  const texts = ['begin read only', tenant, ...readings.map(({ text }) => text), 'commit']
  return withClient(pool, async (client) => {
    return decode(readings, (await send(client, texts)).slice(2))
  })
}

/** Reads, in one round trip and one transaction, what belongs to an organization. */
export async function readOrganization<const R extends readonly Reading<unknown>[]>(
  pool: Pool,
  organizationId: string,
  readings: R,
): Promise<Read<R>> {
  const texts = ['begin read only', ...tenancy(organizationId), ...readings.map(({ text }) => text)]
  return withClient(pool, async (client) => {
    return decode(readings, (await send(client, [...texts, 'commit'])).slice(2))
  })
}

/** What is carried out under one organization. */
export interface TenantStatements {
  readonly organizationId: string
  readonly statements: readonly string[]
}

/** Carries statements out in one round trip and one transaction, each under its organization. */
export async function carryOutFor(pool: Pool, work: readonly TenantStatements[]): Promise<void> {
  const texts = work.flatMap(({ organizationId, statements }) => [
    ...tenancy(organizationId),
    ...statements,
  ])
  await withClient(pool, (client) => send(client, ['begin', ...texts, 'commit']))
}

/**
 * The same for a writer, with the fence held until the commit.
 * @throws FencedError when the fence's epoch is over; whatever PostgreSQL throws
 */
export async function carryOutFenced(
  pool: Pool,
  options: { readonly actor: string; readonly fence: Fence },
  work: readonly TenantStatements[],
): Promise<void> {
  const texts = work.flatMap(({ organizationId, statements }) => [
    ...tenancy(organizationId),
    ...statements,
  ])
  await inInstallation(pool, options, (tx) => carryOut(tx, texts, []), [])
}

function tenancy(organizationId: string): readonly [string] {
  if (!isUuid(organizationId)) throw new TypeError('an organization id is a UUID')
  return [`select set_config('cardea.organization_id', ${literal(organizationId)}, true)`]
}

function acting(organizationId: string, actor: string): string {
  return `select set_config('cardea.organization_id', ${literal(organizationId)}, true), set_config('cardea.actor', ${literal(actor)}, true)`
}

/** Statements that an open transaction of one tenant carries out for another, and goes on as what it was. */
export function asTenant(
  organizationId: string,
  own: string,
  statements: readonly string[],
): readonly string[] {
  return [...tenancy(organizationId), ...statements, ...tenancy(own)]
}

/** Carries statements out in an open transaction, one after another, and then reads; in one round trip. */
export async function carryOut<const R extends readonly Reading<unknown>[]>(
  tx: Transaction,
  statements: readonly string[],
  readings: R,
): Promise<Read<R>> {
  const texts = [...statements, ...readings.map(({ text }) => text)]
  const results = await send(tx.$client, texts)
  return decode(readings, results.slice(statements.length))
}

/** Transactions that were committed or undone before the work that they were opened for was over. */
const over = new WeakSet<Transaction>()

/** The last that a transaction does: carries statements out, reads, and commits, in one round trip. */
export async function carryOutLast<const R extends readonly Reading<unknown>[]>(
  tx: Transaction,
  statements: readonly string[],
  readings: R,
): Promise<Read<R>> {
  const texts = [...statements, ...readings.map(({ text }) => text), 'commit']
  const results = await send(tx.$client, texts)
  over.add(tx)
  return decode(readings, results.slice(statements.length))
}

/** The last that a transaction does: takes back all that it did. */
export async function undo(tx: Transaction): Promise<void> {
  await tx.$client.query('rollback')
  over.add(tx)
}

async function finish<T>(tx: Transaction, work: (tx: Transaction) => Promise<T>): Promise<T> {
  const result = await work(tx)
  if (!over.has(tx)) await tx.$client.query('commit')
  return result
}

async function withClient<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  let broken: Error | undefined
  try {
    return await work(client)
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

/** One round trip: the transaction, its tenant, its actor, for a writer the fence, and what is read first. */
async function begin<const R extends readonly Reading<unknown>[]>(
  client: PoolClient,
  { organizationId, actor, fence }: TransactionOptions,
  readings: R,
): Promise<Read<R>> {
  const texts = [
    ...(fence ? ['begin', longest] : ['begin read only']),
    acting(organizationId, actor),
    // The share lock lasts until the commit, so a new leader's epoch cannot slip in between this check and the write.
    ...(fence
      ? [
          `select from cardea.leadership where installation = ${literal(fence.installation)} and epoch = ${literal(fence.epoch)} for share`,
        ]
      : []),
  ]
  const results = await send(client, [...texts, ...readings.map(({ text }) => text)])
  if (fence && results[texts.length - 1]?.rowCount !== 1) {
    throw new FencedError(
      `another operator leads installation ${fence.installation} since epoch ${fence.epoch}`,
    )
  }
  return decode(readings, results.slice(texts.length))
}

/** Sends statements in one message, and gives what each of them answered. */
async function send(client: PoolClient, texts: readonly string[]): Promise<QueryResult[]> {
  const results = (await client.query(texts.join('; '))) as unknown as QueryResult | QueryResult[]
  return Array.isArray(results) ? results : [results]
}

function decode<const R extends readonly Reading<unknown>[]>(
  readings: R,
  results: readonly QueryResult[],
): Read<R> {
  return readings.map((reading, at) => reading.decode(results[at]?.rows ?? [])) as Read<R>
}
