import { Pool } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { takeLeadership } from '../../src/db/leadership.ts'
import type { Fence } from '../../src/db/transaction.ts'
import { UnwrapJournal } from '../../src/operator/unwraps.ts'
import { eventually } from '../support/kube.ts'
import { testDatabase } from '../support/postgres.ts'
import { Records } from '../support/records.ts'

const database = await testDatabase()
const records = await Records.open(database.superuserUrl)
const pool = new Pool({ connectionString: database.operatorUrl })
const connect = pool.connect.bind(pool)
const lines: object[] = []
const write = (fields: object, msg: string) => void lines.push({ ...fields, msg })
const logger = { debug: write, info: write, warn: write, error: write }
const kek = { provider: 'aws', id: 'arn:aws:kms:eu-west-1:111122223333:key/a', version: '1' }

let fence: Fence
let fenced = 0
let organizationId: string
let count = 0

const aJournal = (soon = 20) =>
  new UnwrapJournal({
    pool,
    fence: () => fence,
    onFenced: () => {
      fenced += 1
    },
    logger,
    pace: { soon, again: 50 },
  })
const unwrap = (dataKeyVersion: number) => ({ organizationId, dataKeyVersion, kek }) as never
const trail = async () => {
  const { rows } = await records.client.query(
    'select actor_kind, actor, action, target_id, detail from cardea.audit_events where organization_id = $1 order by id',
    [organizationId],
  )
  return rows
}
const whenWritten = (many: number) =>
  eventually(`${many} events`, async () => {
    const rows = await trail()
    return rows.length === many ? rows : undefined
  })

beforeAll(async () => {
  fence = await takeLeadership(pool, 'test', 'one')
})
beforeEach(async () => {
  organizationId = await records.organization(`acme-${++count}`)
})
afterAll(async () => {
  await pool.end()
  await records.close()
  await database.drop()
})

test('an unwrap is in the log at once and in the audit trail soon', async () => {
  const journal = aJournal()
  journal.add(unwrap(7))
  expect(lines).toContainEqual(expect.objectContaining({ organizationId, dataKeyVersion: 7, kek }))
  const [event] = await whenWritten(1)
  expect(event).toEqual({
    actor_kind: 'operator',
    actor: 'cardea-operator',
    action: 'data_key.unwrapped',
    target_id: organizationId,
    detail: { at: expect.any(String), version: 7, kek, purpose: 'provider_credential' },
  })
  await journal.stop()
})

test('with PostgreSQL away it is kept, and written once it is back', async () => {
  const journal = aJournal()
  Object.assign(pool, { connect: () => Promise.reject(new Error('away')) })
  for (let version = 1; version <= 300; version++) journal.add(unwrap(version))
  await eventually('a failure', () =>
    lines.some((line) => 'msg' in line && String(line.msg).includes('later')) ? true : undefined,
  )
  expect(await trail()).toEqual([])
  Object.assign(pool, { connect })
  const events = await whenWritten(300)
  expect(new Set(events.map(({ detail }) => detail.version)).size).toBe(300)
  await journal.stop()
})

test('what waits is written at the end', async () => {
  const journal = aJournal(60_000)
  journal.add(unwrap(1))
  await journal.stop()
  expect(await trail()).toHaveLength(1)
})

test('more than is kept is told of in the log', async () => {
  Object.assign(pool, { connect: () => Promise.reject(new Error('away')) })
  const journal = aJournal(60_000)
  for (let version = 1; version <= 10_001; version++) journal.add(unwrap(version))
  const alone = lines.filter((line) => 'msg' in line && String(line.msg).includes('alone'))
  expect(alone).toMatchObject([{ dataKeyVersion: 10_001 }])
  await journal.stop()
  Object.assign(pool, { connect })
})

// The last: nobody leads any more under this fence.
test('who leads no more writes nothing, and ends', async () => {
  await takeLeadership(pool, 'test', 'another')
  const journal = aJournal()
  journal.add(unwrap(1))
  await eventually('the end', () => (fenced > 0 ? true : undefined))
  await journal.stop()
  expect(await trail()).toEqual([])
})
