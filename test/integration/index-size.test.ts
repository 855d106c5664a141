import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadIndexSize } from '../../src/db/credentialindex.ts'
import { openPool } from '../../src/db/pool.ts'
import { query, type TestDatabase, testDatabase } from '../support/postgres.ts'

let database: TestDatabase
let pool: ReturnType<typeof openPool>
beforeAll(async () => {
  database = await testDatabase()
  const log = { info: () => {}, warn: () => {} }
  pool = openPool({ connectionString: database.authUrl, applicationName: 'size-test', log, max: 1 })
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})

test.each([
  [-1, 0],
  [0, 0],
  [1000, 1250],
  [1e9, 8_388_608],
])('of %d rows, as PostgreSQL has it, room is made for %i', async (estimate, room) => {
  await query(
    database.superuserUrl,
    `update pg_class set reltuples = ${estimate} where oid in ('cardea.sessions'::regclass, 'cardea.api_key_secrets'::regclass)`,
  )
  expect(await loadIndexSize(pool)).toEqual({ secrets: room, sessions: room })
})
