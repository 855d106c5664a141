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
