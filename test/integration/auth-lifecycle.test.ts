import { randomUUID } from 'node:crypto'
import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually, spawnAuth, startAuthForTest } from '../support/authservice.ts'
import { aSession, aUser, revokeToken } from '../support/peoplerecords.ts'
import { query, testDatabase } from '../support/postgres.ts'
import { rawGet, sendRaw } from '../support/rawhttp.ts'
import { type ApiKeyRecord, Records } from '../support/records.ts'

const database = await testDatabase()
const records = await Records.open(database.superuserUrl)
let organization: string
let key: ApiKeyRecord

beforeAll(async () => {
  organization = await records.organization()
  key = await records.apiKey(organization)
})
afterAll(async () => {
  await records.close()
  await database.drop()
})

/** One request on a connection that may be kept. Answers the status, or why there is none. */
function ask(url: string, agent: Agent): Promise<number | string> {
  return new Promise((resolve) => {
    const sent = request(`${url}/check`, { agent, headers: { 'x-api-key': key.text } })
    sent.on('response', (answer) => {
      answer.resume().on('end', () => resolve(answer.statusCode ?? 0))
    })
    sent.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    sent.end()
  })
}

test('told to end under load, it drops no request, writes down what it counted, and exits with 0', async () => {
  const auth = await spawnAuth(database.authUrl, { CARDEA_DRAIN_DELAY: '2s' })
  await auth.ready()
  const { url } = auth
  const agent = new Agent({ keepAlive: true, maxSockets: 20 })
  const counts = new Map<number | string, number>()
  const sending = new AbortController()
  const clients = Array.from({ length: 20 }, async () => {
    while (!sending.signal.aborted) {
      const answer = await ask(url, agent)
      counts.set(answer, (counts.get(answer) ?? 0) + 1)
    }
  })
  await sleep(300)
  const ended = auth.end('SIGTERM')
  // Whoever sends requests here hears of it by the readiness, and some time later.
  await eventually(async () => (await fetch(`${auth.metricsUrl}/readyz`)).status).toBe(503)
  await sleep(300)
  sending.abort()
  await Promise.all(clients)
  agent.destroy()
  expect(await ended).toBe(0)
  const { 200: answered = 0, ...others } = Object.fromEntries(counts)
  expect(others, 'nothing but answers').toEqual({})
  expect(answered).toBeGreaterThan(100)
  const [row] = await query<{ uses: number }>(
    database.superuserUrl,
    'select uses::int from cardea.api_key_usage where api_key_id = $1',
    [key.id],
  )
  expect(row?.uses).toBe(answered)
  expect(await query(database.superuserUrl, 'select from cardea.auth_replicas')).toHaveLength(0)
})

test('while it drains, connections end with their next answer', async () => {
  const auth = await startAuthForTest(database.authUrl, { CARDEA_DRAIN_DELAY: '1s' })
  const headers = { 'x-api-key': key.text }
  expect((await fetch(`${auth.url}/check`, { headers })).headers.get('connection')).toBe(
    'keep-alive',
  )
  const stopped = auth.stop()
  expect(auth.service.unready()).toBe('draining')
  for (const path of ['/check', '/openapi.json']) {
    const answer = await fetch(`${auth.url}${path}`, { headers })
    expect([answer.status, answer.headers.get('connection')]).toEqual([200, 'close'])
  }
  await stopped
})

test('a request that does not end does not keep it from ending', async () => {
  const auth = await startAuthForTest(database.authUrl, { CARDEA_DRAIN_TIMEOUT: '1s' })
  const half = `POST /check HTTP/1.1\r\nHost: x\r\nX-API-Key: ${key.text}\r\nContent-Length: 10\r\n\r\nhalf`
  const answer = sendRaw(auth.url, half)
  await sleep(100)
  const started = performance.now()
  await auth.stop()
  expect(performance.now() - started).toBeLessThan(3000)
  expect((await answer).status).toBeNaN()
})

test('who is no trusted proxy is not believed', async () => {
  const auth = await startAuthForTest(database.authUrl, { CARDEA_TRUSTED_PROXIES: '' })
  const near = await records.apiKey(organization, { allowedCidrs: ['127.0.0.0/8'] })
  const far = await records.apiKey(organization, { allowedCidrs: ['203.0.113.0/24'] })
  const asked = ({ text }: ApiKeyRecord) =>
    sendRaw(
      auth.url,
      rawGet('/check', [
        ['X-API-Key', text],
        ['X-Forwarded-For', '203.0.113.9'],
        ['X-Real-IP', '203.0.113.9'],
        ['Forwarded', 'for=203.0.113.9'],
        ['X-Request-Id', 'forged-request-id'],
        ['X-Forwarded-Uri', '/forged'],
      ]),
    )
  expect((await asked(near)).status).toBe(200)
  const denied = await asked(far)
  expect(denied.status).toBe(403)
  expect(denied.headers['x-request-id']).not.toBe('forged-request-id')
  const line = auth.lines.find(({ msg }) => msg === 'denied')
  expect(line).toMatchObject({ address: '127.0.0.1', subject: far.name })
  expect(JSON.stringify(line)).not.toContain('forged')
})

test('a trusted proxy names the request', async () => {
  const auth = await startAuthForTest(database.authUrl)
  const named = async (id: string) => {
    const headers = { 'x-request-id': id, 'x-api-key': 'nonsense' }
    const answer = await fetch(`${auth.url}/check`, { headers })
    const { requestId } = (await answer.json()) as { requestId: string }
    expect(answer.headers.get('x-request-id')).toBe(requestId)
    return requestId
  }
  expect(await named('7f3c9a-proxy.1')).toBe('7f3c9a-proxy.1')
  expect(await named('short')).not.toBe('short')
  expect(await named('with spaces and "quotes"')).toMatch(/^[A-Za-z0-9-]+$/)
})

test('both ways to see it are apart: nothing of the inside is on the public port', async () => {
  const auth = await spawnAuth(database.authUrl)
  await auth.ready()
  expect((await fetch(`${auth.url}/metrics`)).status).toBe(404)
  expect((await fetch(`${auth.url}/readyz`)).status).toBe(404)
  const metrics = await (await fetch(`${auth.metricsUrl}/metrics`)).text()
  for (const name of [
    'cardea_checks_total',
    'cardea_check_denials_total',
    'cardea_check_seconds_bucket',
    'cardea_index_entries',
    'cardea_index_staleness_seconds',
    'cardea_index_ready',
    'cardea_feed_applied_total',
    'cardea_feed_reloads_total',
    'cardea_feed_listener_connected',
    'cardea_read_through_total',
    'cardea_usage_flushes_total',
    'cardea_http_requests_total',
    'cardea_build_info',
    'process_cpu_seconds_total',
  ]) {
    expect(metrics, name).toMatch(new RegExp(`^(# TYPE )?${name}[ {]`, 'm'))
  }
  expect(metrics).not.toContain(key.text)
  expect(await auth.end('SIGINT')).toBe(0)
})

test('the role of the auth service reads nothing of a tenant that it did not name', async () => {
  const tables = await query<{ name: string }>(
    database.superuserUrl,
    `select c.relname as name from pg_class c
      where c.relnamespace = 'cardea'::regnamespace and c.relkind in ('r', 'v') order by 1`,
  )
  const user = await aUser(records, organization)
  await aSession(records, user)
  await revokeToken(records, organization, randomUUID())
  const readable: string[] = []
  for (const { name } of tables) {
    try {
      // Where only some columns are granted, only those can be counted.
      const columns = await query<{ column: string }>(
        database.authUrl,
        `select attname as column from pg_attribute where attrelid = $1::regclass and attnum > 0
          and has_column_privilege($1::regclass, attname, 'select')`,
        [`cardea.${name}`],
      )
      if (columns.length === 0) continue
      readable.push(name)
      const list = columns.map(({ column }) => `"${column}"`).join()
      const rows = await query(database.authUrl, `select ${list} from cardea.${name}`)
      if (name !== 'schema_migrations') expect(rows, name).toEqual([])
    } catch (error) {
      expect(String(error), name).toMatch(/permission denied/)
    }
  }
  expect(readable).toEqual([
    'api_key_usage',
    'api_keys',
    'devices',
    'invitations',
    'mails',
    'one_time_tokens',
    'organizations',
    'passwords',
    'projects',
    'provider_credential_usage',
    'provider_credential_versions',
    'provider_credentials',
    'refresh_tokens',
    'registrations',
    'revoked_access_tokens',
    'role_bindings',
    'roles',
    'schema_migrations',
    'sessions',
    'sign_in_failures',
    'users',
  ])
})

test('under one tenant it sees that tenant’s keys, and writes the use of no other’s', async () => {
  const other = await records.organization()
  const foreign = await records.apiKey(other)
  const set = `select set_config('cardea.organization_id', '${organization}', false)`
  const rows = await query<{ organization_id: string }>(
    database.authUrl,
    `with tenant as materialized (${set}) select organization_id from tenant, cardea.api_keys`,
  )
  expect(rows.every((row) => row.organization_id === organization)).toBe(true)
  const entries = JSON.stringify({ [organization]: [[foreign.id, 1, 1]] })
  await query(database.authUrl, 'select cardea.record_api_key_usage($1::jsonb)', [entries])
  const written = await query(
    database.superuserUrl,
    'select from cardea.api_key_usage where api_key_id = $1',
    [foreign.id],
  )
  expect(written).toHaveLength(0)
})
