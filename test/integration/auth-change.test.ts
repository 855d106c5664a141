import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type AuthProcess,
  eventually,
  type RunningAuth,
  spawnAuth,
  startAuth,
} from '../support/authservice.ts'
import { testDatabase } from '../support/postgres.ts'
import { rawGet, sendRaw } from '../support/rawhttp.ts'
import { type ApiKeyRecord, Records } from '../support/records.ts'

const database = await testDatabase()
const records = await Records.open(database.superuserUrl)
let auth: RunningAuth
let organization: string

beforeAll(async () => {
  organization = await records.organization()
  auth = await startAuth(database.authUrl)
})
afterAll(async () => {
  await auth.stop()
  await records.close()
  await database.drop()
})

async function ask({ text }: ApiKeyRecord, url = auth.url): Promise<number> {
  return (await fetch(`${url}/check`, { headers: { 'x-api-key': text } })).status
}

/** A key that the index has: not read through any more. */
async function anIndexedKey(): Promise<ApiKeyRecord> {
  const applied = await auth.metric('cardea_feed_applied_total')
  const key = await records.apiKey(organization)
  await eventually(() => auth.metric('cardea_feed_applied_total')).toBeGreaterThan(applied + 1)
  expect(await ask(key)).toBe(200)
  return key
}

/** Asks all the time. Answers how long it was until the first 401; fails when a 200 comes after it. */
async function untilRefused(key: ApiKeyRecord, since: number, url?: string): Promise<number> {
  let refusedAt: number | undefined
  while (performance.now() - since < 5000) {
    const status = await ask(key, url)
    const now = performance.now() - since
    if (status === 401) refusedAt ??= now
    else expect(refusedAt, `allowed again after ${now} ms`).toBe(undefined)
    if (refusedAt !== undefined && now > refusedAt + 300) return refusedAt
  }
  throw new Error('it was never refused')
}

function cutListeners(): Promise<unknown> {
  return records.client.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
      where application_name = 'cardea-auth-changes' and datname = current_database()`,
  )
}

test('a revoked key is refused as soon as the revocation is committed', async () => {
  const waits: number[] = []
  for (let round = 0; round < 10; round++) {
    const key = await anIndexedKey()
    await records.revoke(key)
    waits.push(await untilRefused(key, performance.now()))
  }
  expect(Math.max(...waits)).toBeLessThan(500)
})

test('a revocation is noticed while the listener is cut, again and again', async () => {
  const key = await anIndexedKey()
  const cutting = new AbortController()
  const cutter = (async () => {
    while (!cutting.signal.aborted) {
      await cutListeners()
      await sleep(20)
    }
  })()
  await sleep(200)
  const waited = await (async () => {
    const rival = await Records.open(database.superuserUrl)
    await rival.revoke(key)
    await rival.close()
    return untilRefused(key, performance.now())
  })()
  cutting.abort()
  await cutter
  expect(waited).toBeLessThan(3000)
  await eventually(() => auth.metric('cardea_feed_listener_connected')).toBe(1)
})

test('while nothing is heard at all, every key is looked up', async () => {
  const key = await anIndexedKey()
  const stalled = await stall()
  await eventually(() => auth.metric('cardea_index_staleness_seconds')).toBeGreaterThan(2)
  const lookUps = await auth.metric('cardea_read_through_total')
  expect(await ask(key)).toBe(200)
  expect(await auth.metric('cardea_read_through_total')).toBeGreaterThan(lookUps)
  await stalled.revoke(key)
  expect(await ask(key)).toBe(401)
  await stalled.end()
})

test('a slower transaction with a lower number is not lost', async () => {
  const slow = await anIndexedKey()
  const fast = await anIndexedKey()
  const other = await Records.open(database.superuserUrl)
  await other.client.query('begin')
  await other.revoke(slow)
  await records.revoke(fast)
  await eventually(() => ask(fast)).toBe(401)
  // The feed has long passed the number that the open transaction took.
  await sleep(700)
  expect(await ask(slow)).toBe(200)
  await other.client.query('commit')
  expect(await untilRefused(slow, performance.now())).toBeLessThan(500)
  await other.close()
})

test('a change that is taken back changes nothing', async () => {
  const key = await anIndexedKey()
  await records.client.query('begin')
  await records.revoke(key)
  await records.client.query('rollback')
  await sleep(700)
  expect(await ask(key)).toBe(200)
})

test('after a restore everything is loaded anew', async () => {
  const key = await anIndexedKey()
  const reloads = await auth.metric('cardea_feed_reloads_total')
  // What happened in the other cluster is in no change that this one will ever read.
  await records.client.query('set session_replication_role = replica')
  await records.revoke(key)
  await records.client.query('set session_replication_role = origin')
  expect(await ask(key)).toBe(200)
  await records.client.query('update cardea.feed set epoch = gen_random_uuid()')
  await eventually(() => auth.metric('cardea_feed_reloads_total')).toBe(reloads + 1)
  expect(await ask(key)).toBe(401)
})

test('when more was changed than is worth following, everything is loaded anew', async () => {
  const key = await anIndexedKey()
  const reloads = await auth.metric('cardea_feed_reloads_total')
  await records.client.query(
    `insert into cardea.changes (organization_id, concept, record_id)
      select gen_random_uuid(), 'api_key', gen_random_uuid() from generate_series(1, 20001)`,
  )
  await eventually(() => auth.metric('cardea_feed_reloads_total')).toBe(reloads + 1)
  expect(await ask(key)).toBe(200)
})

test('a digest may pass from one key to another', async () => {
  const text = 'imported-elsewhere-0123456789'
  const former = await records.apiKey(organization, { imported: text })
  await eventually(() => ask(former)).toBe(200)
  await records.client.query('begin')
  await records.client.query('delete from cardea.api_key_secrets where id = $1', [former.secretId])
  const present = await records.apiKey(organization, { imported: text })
  await records.client.query('commit')
  await eventually(async () => {
    const answer = await fetch(`${auth.url}/check`, { headers: { 'x-api-key': text } })
    return answer.headers.get('x-cardea-credential-id')
  }).toBe(present.secretId)
})

test('a replica that was paused does not admit who was revoked meanwhile', async () => {
  const paused: AuthProcess = await spawnAuth(database.authUrl)
  await paused.ready()
  const { url } = paused
  const key = await anIndexedKey()
  expect(await ask(key, url)).toBe(200)
  paused.child.kill('SIGSTOP')
  await records.revoke(key)
  // These wait in its socket: it may read them before it hears of anything else.
  const waiting = Array.from({ length: 5 }, () =>
    sendRaw(url, rawGet('/check', [['X-API-Key', key.text]])),
  )
  await sleep(2600)
  paused.child.kill('SIGCONT')
  expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual([
    401, 401, 401, 401, 401,
  ])
  expect(await paused.end('SIGTERM')).toBe(0)
})

/** Lets the feed's connection wait for a lock for ever, so that it is there and says nothing. */
async function stall(): Promise<{
  revoke(key: ApiKeyRecord): Promise<void>
  end(): Promise<void>
}> {
  const blocker = new Client({ connectionString: database.superuserUrl })
  await blocker.connect()
  await blocker.query('begin')
  await blocker.query('lock table cardea.feed in access exclusive mode')
  return {
    revoke: (key) => records.revoke(key),
    async end() {
      await blocker.query('rollback')
      await blocker.end()
    },
  }
}
