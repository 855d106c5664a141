import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  eventually,
  type RunningAuth,
  startAuth,
  startAuthForTest,
} from '../support/authservice.ts'
import { testDatabase } from '../support/postgres.ts'
import { Records } from '../support/records.ts'

const database = await testDatabase()
const records = await Records.open(database.superuserUrl)
let auth: RunningAuth
let organization: string
/** Changes that were there before the service. */
let before: number

beforeAll(async () => {
  organization = await records.organization()
  before = await records.changes()
  auth = await startAuth(database.authUrl)
})
afterAll(async () => {
  await auth.stop()
  await records.close()
  await database.drop()
})

async function ask(key: string, query = '', url = auth.url): Promise<Response> {
  return fetch(`${url}/check${query}`, { headers: { 'x-api-key': key } })
}

/** Resolves when the index has everything that was committed. */
async function settled(): Promise<void> {
  const changes = await records.changes()
  await eventually(() => auth.metric('cardea_feed_applied_total')).toBe(changes - before)
}

async function allowedOf(count: number, key: string, url?: string): Promise<number> {
  const answers = await Promise.all(Array.from({ length: count }, () => ask(key, '', url)))
  return answers.filter(({ status }) => status === 200).length
}

test('the headers say what is left, and 429 says when to come back', async () => {
  const { text } = await records.apiKey(organization, { rateLimit: [60, 60_000, 3] })
  const shown = async () => {
    const { status, headers } = await ask(text)
    return [
      status,
      headers.get('ratelimit-policy'),
      headers.get('ratelimit'),
      headers.get('retry-after'),
    ]
  }
  const policy = '"api-key";q=60;w=60'
  expect(await shown()).toEqual([200, policy, '"api-key";r=2;t=1', null])
  expect(await shown()).toEqual([200, policy, '"api-key";r=1;t=2', null])
  expect(await shown()).toEqual([200, policy, '"api-key";r=0;t=1', null])
  expect(await shown()).toEqual([429, policy, '"api-key";r=0;t=1', '1'])
  const answer = await ask(text)
  expect(await answer.json()).toMatchObject({ status: 429, code: 'rate_limited' })
  await sleep(1050)
  expect((await ask(text)).status).toBe(200)
  expect((await ask(text)).status).toBe(429)
})

test('a key without a limit has no such headers', async () => {
  const { text } = await records.apiKey(organization)
  const { headers } = await ask(text)
  expect(headers.has('ratelimit') || headers.has('ratelimit-policy')).toBe(false)
})

test('what is denied for a scope counts, what is denied for an address does not', async () => {
  const limits = { rateLimit: [1, 3_600_000, 2] as const, allowedCidrs: ['192.0.2.0/24'] }
  const { text } = await records.apiKey(organization, limits)
  const from = (address: string, query = '') =>
    fetch(`${auth.url}/check${query}`, {
      headers: { 'x-api-key': text, 'x-forwarded-for': address },
    })
  for (let use = 0; use < 5; use++) expect((await from('203.0.113.9')).status).toBe(403)
  const denied = await from('192.0.2.1', '?scope=scans:read')
  expect(await denied.json()).toMatchObject({ code: 'insufficient_scope' })
  expect(denied.headers.get('ratelimit')).toBe('"api-key";r=1;t=3600')
  expect((await from('192.0.2.1')).status).toBe(200)
  expect((await from('192.0.2.1')).status).toBe(429)
})

test('both secrets of a rotated key share one limit, and an edit does not fill it again', async () => {
  const key = await records.apiKey(organization, { rateLimit: [4, 3_600_000] })
  const { text } = await records.secret(organization, key.id)
  await settled()
  expect((await ask(text)).status).toBe(200)
  expect((await ask(key.text)).status).toBe(200)
  await records.client.query(`update cardea.api_keys set scopes = '{a:b}' where id = $1`, [key.id])
  await settled()
  expect((await ask(text, '?scope=a:b')).status).toBe(200)
  expect((await ask(key.text)).status).toBe(200)
  expect((await ask(key.text)).status).toBe(429)
  expect((await ask(text)).status).toBe(429)
})

test('each of two replicas lets through its half', async () => {
  const { text } = await records.apiKey(organization, { rateLimit: [40, 3_600_000] })
  const other = await startAuthForTest(database.authUrl, { CARDEA_REPLICA_ID: 'another' })
  const live = async () => (await records.client.query('select from cardea.auth_replicas')).rowCount
  await eventually(live).toBe(2)
  await sleep(2200)
  expect(await allowedOf(40, text)).toBe(20)
  expect(await allowedOf(40, text, other.url)).toBe(20)
  await other.stop()
  expect(await live()).toBe(1)
})

test('as many replicas as are expected at least are counted from the first moment', async () => {
  const { text } = await records.apiKey(organization, { rateLimit: [40, 3_600_000] })
  const cautious = await startAuthForTest(database.authUrl, {
    CARDEA_MIN_REPLICAS: '4',
    CARDEA_REPLICA_ID: 'cautious',
  })
  expect(await allowedOf(40, text, cautious.url)).toBe(10)
})
