import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ask } from '../support/ask.ts'
import { anAPIKey, anOrganization } from '../support/build/resource.ts'
import { testCluster } from '../support/controlplane.ts'
import { filesOfDatabase, rowsOfDatabase } from '../support/databasefiles.ts'
import {
  apply,
  eventually,
  get,
  kubectl,
  patch,
  remove,
  request,
  whenReady,
} from '../support/kube.ts'
import { filesUnder, type Haystack, traces, whereIs } from '../support/search.ts'
import { type System, startSystem } from '../support/system.ts'

/** What must be found, so that not to find something means something. */
const control = 'the canary sings'

let ns: string
let system: System
/** Every key that was ever made here. */
const keys = new Set<string>()
/** What people were shown about them. */
const shown: Haystack[] = []

beforeAll(async () => {
  ns = await testCluster().namespace()
  const loud = { CARDEA_LOG_LEVEL: 'trace' }
  system = await startSystem({
    namespaces: [ns],
    operatorSettings: loud,
    authSettings: { ...loud, CARDEA_TRUSTED_PROXIES: '127.0.0.1/32' },
  })
  await apply(
    anOrganization(ns, 'acme', { displayName: control }),
    anAPIKey(ns, 'ci', {
      description: control,
      scopes: ['scans:read', 'cardea:introspect'],
      rotation: { every: '90d', overlap: '1h' },
      rateLimit: { requests: 40, per: '1m' },
    }),
  )
  await whenReady('apikey', ns, 'ci')
})
afterAll(() => system.stop())

async function unwrap(): Promise<string> {
  const key = await system.unwrap(ns, 'ci')
  keys.add(key)
  return key
}

const status = async (key: string, query = '') =>
  (await ask(`${system.auth.url}/check${query}`, { headers: [['x-api-key', key]] })).status

test('the key is used, rightly and wrongly', async () => {
  const key = await unwrap()
  await eventually('it is known', async () => ((await status(key)) === 200 ? true : undefined))
  expect(await status(key, '?scope=scans:write')).toBe(403)
  const form = ['content-type', 'application/x-www-form-urlencoded'] as const
  const headers = [['x-api-key', key] as const, form]
  const { url } = system.auth
  for (const body of [`token=${key}`, `token=${key.slice(0, -1)}x`, `tok=${key}`, '{']) {
    const answer = await ask(`${url}/oauth2/introspect`, { method: 'POST', headers, body })
    expect(answer.status).toBeLessThan(500)
  }
  for (let left = 60; left > 0 && (await status(key)) !== 429; left--);
  expect(await status(key)).toBe(429)
})

test('the key is sent where it does not belong', async () => {
  const [key = ''] = keys
  const { url } = system.auth
  const basic = Buffer.from(`ci:${key}`).toString('base64')
  const places: readonly [address: string, ...headers: (readonly [string, string])[]][] = [
    [`/check?api_key=${key}`],
    [`/check?scope=${key}`],
    [`/check/${key}?token=${key}`],
    [`/${key}`],
    [`/oauth2/introspect?token=${key}`],
    ['/check', ['authorization', `Basic ${basic}`]],
    ['/check', ['authorization', `Bearer${key}`]],
    ['/check', ['authorization', `Bearer ${key} ${key}`]],
    ['/check', ['x-api-key', `${key}${key}`]],
    ['/check', ['x-api-key', `"${key}"`]],
    ['/check', ['x-api-key', key], ['x-api-key', key.toUpperCase()]],
    ['/check', ['cookie', `session=${key}`]],
    ['/check', ['origin', `https://${key}`], ['user-agent', key], ['referer', `/?${key}`]],
    ['/check', ['x-request-id', key]],
    ['/check', ['x-forwarded-for', key]],
    ['/check', ['x-forwarded-method', key], ['x-forwarded-host', key]],
    ['/check', ['x-forwarded-uri', `/download?key=${key}`]],
    ['/check', ['x-original-url', `/${key}/download/${key}`]],
  ]
  for (const [address, ...headers] of places) {
    for (const method of ['GET', 'POST']) {
      const answer = await ask(`${url}${address}`, { method, headers })
      expect(answer.status, address).toBeGreaterThanOrEqual(400)
      expect(answer.status, address).toBeLessThan(500)
      shown.push({
        name: `the answer to ${address} ${headers.join()}`,
        content: Buffer.from(answer.rawHeaders.join('\n') + answer.body),
      })
    }
  }
})

test('the key is rotated, moved, put right, refused and deleted', async () => {
  const former = await unwrap()
  await request('apikey', ns, 'ci', 'rotate-requested-at', 'now')
  await eventually('it is rotated', async () =>
    (await get('apikey', ns, 'ci'))?.status.lastHandledRotateAt === 'now' ? true : undefined,
  )
  expect(await unwrap()).not.toBe(former)
  await patch('secret', ns, 'ci-secret', { data: { envelope: null } })
  await eventually('it is put right', async () =>
    (await get('secret', ns, 'ci-secret'))?.data?.['envelope'] ? true : undefined,
  )
  await system.sql(`update cardea.api_key_secrets set digest = decode(repeat('ab', 32), 'hex')
    where expires_at is null`)
  await kubectl('create', 'secret', 'generic', 'taken', '-n', ns)
  await patch('apikey', ns, 'ci', { spec: { secretRef: { name: 'taken' } } })
  await whenReady('apikey', ns, 'ci', 'False', 'SecretConflict')
  await patch('apikey', ns, 'ci', { spec: { secretRef: { name: 'moved' } } })
  await whenReady('apikey', ns, 'ci')
  await unwrap()
  await patch('apikey', ns, 'ci', { spec: { secretRef: { name: 'moved', format: 'Plain' } } })
  await whenReady('apikey', ns, 'ci', 'False', 'PlainSecretNotAllowed')
  await apply(anAPIKey(ns, 'deleted'))
  await whenReady('apikey', ns, 'deleted')
  keys.add(await system.unwrap(ns, 'deleted'))
  await remove('apikey', ns, 'deleted')
  const wrong = await system.cardea(['unwrap', '-n', ns, 'taken'])
  shown.push({ name: 'unwrap’s complaint', content: Buffer.from(wrong.stdout + wrong.stderr) })
  for (const args of [
    ['describe', 'apikeys', '-n', ns],
    ['describe', 'secrets', '-n', ns],
    ['get', 'events', '-n', ns, '--output=yaml'],
    ['get', 'cardea', '-n', ns, '--output=yaml'],
  ]) {
    shown.push({ name: args.join(' '), content: Buffer.from(await kubectl(...args)) })
  }
  for (const { probes, daemon } of [system.operator, system.auth]) {
    const metrics = await (await fetch(`${probes}/metrics`)).text()
    shown.push({ name: `the metrics of ${daemon.name}`, content: Buffer.from(metrics) })
  }
})

/** Fails where a trace of a key is; `expected` must be found, or the search looks in the wrong place. */
function expectNothingIn(haystacks: readonly Haystack[], expected: string): void {
  expect(whereIs(expected, haystacks)).not.toEqual([])
  for (const key of keys) {
    for (const trace of traces(key)) {
      expect(whereIs(trace, haystacks), `${trace} of ${key}`).toEqual([])
    }
  }
}

test('keys were made, and their traces can be found', () => {
  expect(keys.size).toBe(3)
  for (const key of keys) {
    for (const content of [key, Buffer.from(` ${key}`).toString('base64')]) {
      const found = traces(key).some((trace) => content.includes(trace))
      expect(found).toBe(true)
    }
  }
})

test('no trace is in what people are shown: answers, events, statuses, metrics', () => {
  expectNothingIn(shown, ns)
})

test('no trace is in a log, at the most talkative level', () => {
  const logs = filesUnder(system.directory).filter(({ name }) => name.endsWith('.log'))
  expect(logs.length).toBe(2)
  expectNothingIn(logs, '"level":"debug"')
  expectNothingIn(logs, '"msg":"denied"')
})

test('no trace is in etcd, in the API server’s logs or in its audit', () => {
  const files = filesUnder(path.dirname(testCluster().auditLogPath))
  expect(files.some(({ name }) => name.endsWith(path.join('snap', 'db')))).toBe(true)
  expectNothingIn(files, control)
})

test('no trace is in a table of PostgreSQL', async () => {
  const dump = await rowsOfDatabase(system)
  expect(dump.length).toBeGreaterThan(8)
  expectNothingIn(dump, control)
})

test('no trace is in PostgreSQL’s files', async () => {
  expectNothingIn(await filesOfDatabase(system), control)
})
