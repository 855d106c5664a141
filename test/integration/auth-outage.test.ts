import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { mintApiKey } from '../../src/domain/apikey.ts'
import {
  eventually,
  type RunningAuth,
  spawnAuth,
  startAuthForTest,
} from '../support/authservice.ts'
import { emptyDatabase, query, startPostgres, testDatabase } from '../support/postgres.ts'
import { Records } from '../support/records.ts'
import { TcpProxy } from '../support/tcpproxy.ts'
import { makeTemplate, TEMPLATE, urlsOf } from '../support/template.ts'

const database = await testDatabase()
const records = await Records.open(database.superuserUrl)
let organization: string

beforeAll(async () => {
  organization = await records.organization()
})
afterAll(async () => {
  await records.close()
  await database.drop()
})

async function ask(url: string, key: string): Promise<Response> {
  return fetch(`${url}/check`, { headers: { 'x-api-key': key } })
}
const statusOf = async (auth: RunningAuth, key: string) => (await ask(auth.url, key)).status

/** An auth service whose way to the database a test may close. */
async function behindProxy(settings: Record<string, string> = {}) {
  const proxy = await TcpProxy.open(database.authUrl)
  onTestFinished(() => proxy.close())
  const auth = await startAuthForTest(proxy.url, settings)
  onTestFinished(() => proxy.restore())
  return { proxy, auth }
}

test('with PostgreSQL away, what was good is served for a bounded time, then nobody is', async () => {
  const known = await records.apiKey(organization)
  const expiring = await records.apiKey(organization, { expiresAt: new Date(Date.now() + 4000) })
  const { proxy, auth } = await behindProxy({
    CARDEA_MAX_STALENESS: '1s',
    CARDEA_MAX_OUTAGE: '6s',
  })
  const unknown = await records.apiKey(organization)
  await eventually(() => statusOf(auth, unknown.text)).toBe(200)
  proxy.refuse()
  const made = await records.apiKey(organization)

  await eventually(() => auth.metric('cardea_index_staleness_seconds')).toBeGreaterThan(1.5)
  expect(await statusOf(auth, known.text)).toBe(200)
  const refused = await ask(auth.url, made.text)
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1'])
  expect(await refused.json()).toMatchObject({ code: 'unavailable' })
  expect(await statusOf(auth, `${known.text}x`)).toBe(401)
  expect(auth.service.unready()).toBe(undefined)

  await eventually(() => statusOf(auth, expiring.text)).not.toBe(200)
  await eventually(() => statusOf(auth, known.text)).toBe(503)
  expect(auth.service.unready()).toMatch(/away/)

  await records.revoke(known)
  proxy.restore()
  await eventually(async () => {
    const status = await statusOf(auth, known.text)
    expect(status).not.toBe(200)
    return status
  }).toBe(401)
  expect(await statusOf(auth, made.text)).toBe(200)
  await eventually(() => auth.service.unready()).toBe(undefined)
})

test('nobody waits long for a database that says nothing', async () => {
  const known = await records.apiKey(organization)
  const { proxy, auth } = await behindProxy({ CARDEA_MAX_STALENESS: '1s' })
  expect(await statusOf(auth, known.text)).toBe(200)
  proxy.silence()
  await sleep(1100)
  const waits = await Promise.all(
    Array.from({ length: 50 }, async () => {
      const started = performance.now()
      expect(await statusOf(auth, known.text)).toBe(200)
      return performance.now() - started
    }),
  )
  expect(Math.max(...waits)).toBeLessThan(2500)
  // Once it is known to be away, nobody waits at all.
  const started = performance.now()
  expect(await statusOf(auth, known.text)).toBe(200)
  expect(performance.now() - started).toBeLessThan(250)
})

test('a revocation is heard as soon as the database is back', async () => {
  const key = await records.apiKey(organization)
  const { proxy, auth } = await behindProxy({ CARDEA_MAX_STALENESS: '1s' })
  proxy.refuse()
  await eventually(() => auth.metric('cardea_index_staleness_seconds')).toBeGreaterThan(1.5)
  expect(await statusOf(auth, key.text)).toBe(200)
  await records.revoke(key)
  proxy.restore()
  const since = performance.now()
  await eventually(() => statusOf(auth, key.text)).toBe(401)
  expect(performance.now() - since).toBeLessThan(3000)
  for (let round = 0; round < 100; round++) expect(await statusOf(auth, key.text)).toBe(401)
})

test('PostgreSQL crashes under load and comes back: nobody good is refused, nobody revoked is let in', async () => {
  const server = await startPostgres()
  onTestFinished(() => server.stop())
  await makeTemplate(server.superuserUrl('postgres'))
  const own = urlsOf(server.superuserUrl('postgres'), 'own')
  await query(server.superuserUrl('postgres'), `create database own template ${TEMPLATE}`)
  const before = await Records.open(own.superuserUrl)
  const tenant = await before.organization()
  const good = await before.apiKey(tenant)
  const doomed = await before.apiKey(tenant)
  await before.close()
  const auth = await startAuthForTest(own.authUrl, { CARDEA_MAX_STALENESS: '1s' })
  expect(await statusOf(auth, doomed.text)).toBe(200)

  const answers = new Set<number>()
  const loading = new AbortController()
  onTestFinished(() => loading.abort())
  const load = (async () => {
    while (!loading.signal.aborted) answers.add(await statusOf(auth, good.text))
  })()
  await server.crashAndRestart()
  const after = await Records.open(own.superuserUrl)
  await after.revoke(doomed)
  await eventually(() => statusOf(auth, doomed.text)).toBe(401)
  const made = await after.apiKey(tenant)
  await eventually(() => statusOf(auth, made.text)).toBe(200)
  await eventually(() => auth.metric('cardea_index_staleness_seconds')).toBeLessThan(1)
  for (let round = 0; round < 20; round++) expect(await statusOf(auth, doomed.text)).toBe(401)
  loading.abort()
  await load
  expect([...answers]).toEqual([200])
  await after.close()
})

test('while everything is slow, the queue has an end and the rest get 503', async () => {
  const { proxy, auth } = await behindProxy()
  proxy.silence()
  const answers = await Promise.all(
    Array.from({ length: 300 }, async () => {
      return statusOf(auth, mintApiKey('ck', randomBytes(32)))
    }),
  )
  expect(new Set(answers)).toEqual(new Set([503]))
})

test('what was counted while the database was away is written down later', async () => {
  const key = await records.apiKey(organization)
  const { proxy, auth } = await behindProxy()
  for (let use = 0; use < 3; use++) expect(await statusOf(auth, key.text)).toBe(200)
  proxy.refuse()
  await sleep(100)
  for (let use = 0; use < 4; use++) expect(await statusOf(auth, key.text)).toBe(200)
  proxy.restore()
  await auth.stop()
  const rows = await query(
    database.superuserUrl,
    "select uses::int, now() - last_used_at < interval '1 minute' as fresh from cardea.api_key_usage where api_key_id = $1",
    [key.id],
  )
  expect(rows).toEqual([{ uses: 7, fresh: true }])
})

test('started before its database, a replica waits and says so, and is not ready', async () => {
  const key = await records.apiKey(organization)
  const proxy = await TcpProxy.open(database.authUrl)
  proxy.refuse()
  const auth = await spawnAuth(proxy.url)
  await eventually(() => auth.lines.some(({ msg }) => msg.startsWith('waiting for'))).toBe(true)
  expect((await fetch(`${auth.metricsUrl}/healthz`)).status).toBe(200)
  expect((await fetch(`${auth.metricsUrl}/readyz`)).status).toBe(503)
  proxy.restore()
  await auth.ready()
  expect((await ask(auth.url, key.text)).status).toBe(200)
  expect(await auth.end('SIGTERM')).toBe(0)
  expect(auth.errors()).toBe('')
  await proxy.close()
})

test('started before the migrations, it waits; it ends at once when told to', async () => {
  const empty = await emptyDatabase()
  const auth = await spawnAuth(empty.authUrl)
  await eventually(() => auth.lines.some(({ msg }) => msg.startsWith('waiting for'))).toBe(true)
  expect(await auth.end('SIGTERM')).toBe(0)
  await empty.drop()
})

test('on a database of a newer Cardea it does not start, and says what to do', async () => {
  const newer = await testDatabase()
  await query(
    newer.superuserUrl,
    `insert into cardea.schema_migrations (version, name, checksum) values (9999, 'later.sql', 'x')`,
  )
  const auth = await spawnAuth(newer.authUrl)
  await eventually(() => auth.child.exitCode).toBe(2)
  expect(auth.errors()).toContain('schema version 9999')
  expect(auth.errors()).toContain('run a newer Cardea')
  await newer.drop()
})

test('a missing setting ends it with the name of the variable', async () => {
  const start = spawnAuth('', { CARDEA_DATABASE_URL: '', CARDEA_MAX_OUTAGE: 'long' })
  await expect(start).rejects.toThrow(/CARDEA_DATABASE_URL.*CARDEA_MAX_OUTAGE/)
})
