import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sessionCookie } from '../../src/domain/session.ts'
import { ask } from '../support/ask.ts'
import { eventually, type RunningAuth, startAuth } from '../support/authservice.ts'
import {
  aSession,
  aUser,
  endSession,
  type SessionRecord,
  type UserRecord,
} from '../support/peoplerecords.ts'
import { testDatabase } from '../support/postgres.ts'
import { Records } from '../support/records.ts'

const database = await testDatabase()
const records = await Records.open(database.superuserUrl)
let replicas: readonly RunningAuth[]
let user: UserRecord

beforeAll(async () => {
  replicas = await Promise.all([1, 2].map(() => startAuth(database.authUrl)))
  user = await aUser(records, await records.organization())
})
afterAll(async () => {
  await Promise.all(replicas.map((replica) => replica.stop()))
  await records.close()
  await database.drop()
})

/** What each replica answers. */
async function statuses({ text }: SessionRecord): Promise<number[]> {
  const headers = [['cookie', `${sessionCookie}=${text}`]] as const
  const answers = replicas.map(({ url }) => ask(`${url}/check`, { headers }))
  return (await Promise.all(answers)).map(({ status }) => status)
}

const rounds = Array.from({ length: 10 }, (_, round) => round)

test('a session that begins wakes nobody, and one that ends wakes all', async () => {
  const listener = new Client({ connectionString: database.authUrl })
  await listener.connect()
  const heard: (string | undefined)[] = []
  listener.on('notification', ({ payload }) => heard.push(payload))
  await listener.query('listen cardea_changes')
  const session = await aSession(records, user)
  await records.client.query(`select pg_notify('cardea_changes', 'begun')`)
  await endSession(records, session)
  await expect.poll(() => heard).toEqual(['begun', ''])
  await listener.end()
})

test('a session is good on every replica from its beginning on, and then from memory', async () => {
  for (const _ of rounds) expect(await statuses(await aSession(records, user))).toEqual([200, 200])
  const last = await aSession(records, user)
  const lookUps = () =>
    Promise.all(replicas.map((replica) => replica.metric('cardea_read_through_total')))
  await eventually(async () => {
    const before = await lookUps()
    expect(await statuses(last)).toEqual([200, 200])
    return (await lookUps()).map((count, at) => count - (before[at] ?? 0))
  }).toEqual([0, 0])
})

/** Less than a look without a notification takes to come. */
const refused = (session: SessionRecord) =>
  expect.poll(() => statuses(session), { interval: 5, timeout: 400 }).toEqual([401, 401])

test('a session that ends as soon as it began is refused by all within milliseconds, and stays so', async () => {
  const sessions: SessionRecord[] = []
  for (const _ of rounds) {
    const session = await aSession(records, user)
    await endSession(records, session)
    await refused(session)
    sessions.push(session)
  }
  for (const session of sessions) expect(await statuses(session)).toEqual([401, 401])
})

test('a session that was used and then ends is refused as soon, whether or not it was heard of', async () => {
  for (const round of rounds) {
    const session = await aSession(records, user)
    expect(await statuses(session)).toEqual([200, 200])
    await new Promise((resolve) => setTimeout(resolve, round * 60))
    await endSession(records, session)
    await refused(session)
    expect(await statuses(session)).toEqual([401, 401])
  }
})
