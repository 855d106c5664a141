import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openPool } from '../../src/db/pool.ts'
import { eventually } from '../support/kube.ts'
import { query, type TestDatabase, testDatabase } from '../support/postgres.ts'

let database: TestDatabase
const warnings: string[] = []
const log = { info: () => {}, warn: (_: object, message: string) => void warnings.push(message) }
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.drop())

const open = () =>
  openPool({ connectionString: database.operatorUrl, applicationName: 'pool-test', log, max: 1 })

const terminate = () =>
  query(
    database.superuserUrl,
    `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pool-test'`,
  )

/** The connection's backend has gone, and whoever has the connection has heard of it. */
const whenGone = () =>
  eventually('the backend is gone', async () => {
    const [row] = await query<{ n: number }>(
      database.superuserUrl,
      `select count(*)::int as n from pg_stat_activity where application_name = 'pool-test'`,
    )
    return row?.n === 0 ? true : undefined
  })

test('a connection that ends between two statements fails the next one, and not the process', async () => {
  const pool = open()
  const client = await pool.connect()
  await client.query('begin')
  await terminate()
  await whenGone()
  await new Promise((resolve) => setTimeout(resolve, 50))
  await expect(client.query('commit')).rejects.toThrow()
  client.release()
  // It is not given to the next one.
  expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  await pool.end()
})

test('a connection that ends while it is idle is said to have ended, and replaced', async () => {
  const pool = open()
  await pool.query('select 1')
  await terminate()
  await eventually('it is said', () =>
    warnings.includes('an idle database connection was lost') ? true : undefined,
  )
  expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  await pool.end()
})

test('a query that takes too long is rejected, its connection given up, and its answer comes to nobody', async () => {
  const pool = openPool({
    connectionString: database.operatorUrl,
    applicationName: 'pool-test',
    log,
    max: 1,
    queryTimeout: 300,
  })
  await expect(pool.query('select pg_sleep(1)')).rejects.toThrow('Query read timeout')
  expect((await pool.query('select 2 as two')).rows).toEqual([{ two: 2 }])
  const client = await pool.connect()
  await expect(client.query('select pg_sleep(0.5)')).rejects.toThrow('Query read timeout')
  // The same connection, as soon as it is free: each answer is that of its own question.
  await new Promise((resolve) => setTimeout(resolve, 400))
  expect((await client.query('select $1::int as three', [3])).rows).toEqual([{ three: 3 }])
  client.release()
  await pool.end()
})

test('a query that fails is rejected, and the next one is answered', async () => {
  const pool = open()
  const client = await pool.connect()
  await expect(client.query('select nonsense')).rejects.toThrow('"nonsense" does not exist')
  client.release()
  expect((await pool.query({ text: 'select $1::text as word', values: ['x'] })).rows).toEqual([
    { word: 'x' },
  ])
  await pool.end()
})

/** Bytes by which thousands of queries let the old generation grow. */
async function growth(of: 'pg' | 'cardea'): Promise<number> {
  const program = fileURLToPath(new URL('../support/queryheap.ts', import.meta.url))
  // As Node has it where there is memory.
  const args = ['--max-semi-space-size=16', program, of, database.operatorUrl]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  return Number(stdout)
}

test('what queries leave behind dies young, which it does not with a promise and a time limit of pg (docs/adr/0020)', async () => {
  const mebibyte = 2 ** 20
  expect(await growth('pg')).toBeGreaterThan(8 * mebibyte)
  expect(await growth('cardea')).toBeLessThan(4 * mebibyte)
})
