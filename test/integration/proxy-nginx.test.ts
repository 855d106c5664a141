import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type RunningAuth, startAuth } from '../support/authservice.ts'
import { type RunningNginx, startNginx } from '../support/nginx.ts'
import { aPerson, openReplicas, signIn } from '../support/peopleservices.ts'
import { testDatabase } from '../support/postgres.ts'
import { Records } from '../support/records.ts'

/** The configuration as docs/guides/proxies.md has it. */
const guide = readFileSync(new URL('../../docs/guides/proxies.md', import.meta.url), 'utf8')
const [, configuration = ''] = /<!-- nginx -->\n```nginx\n([^`]+)```/.exec(guide) ?? []

const host = 'app.example.com'
const made = {
  'x-cardea-roles': 'owner',
  'x-cardea-project': 'made-up',
  X_Cardea_Subject: 'somebody',
}
const database = await testDatabase()
const records = await Records.open(database.superuserUrl)
let auth: RunningAuth
let nginx: RunningNginx
let key: string
let narrow: string
let cookie: string
/** What the application was asked with. */
let seen: IncomingHttpHeaders | undefined
const application = createServer((asked, response) => {
  seen = asked.headers
  response.statusCode = asked.url === '/broken' ? 500 : 200
  response.end('the application')
})

beforeAll(async () => {
  const acme = await records.organization('acme')
  key = (await records.apiKey(acme, { name: 'ci' })).text
  narrow = (await records.apiKey(acme, { name: 'slow', rateLimit: [1, 3_600_000, 1] })).text
  const [replica] = await openReplicas(database, records, 1)
  const person = await aPerson(records, acme, { email: 'ada@acme.example', roles: ['viewer'] })
  cookie = `__Host-cardea_session=${(await signIn(replica, person, 'browser')).session.cookie}`
  await replica.close()
  auth = await startAuth(database.authUrl, { CARDEA_PUBLIC_URL: `https://${host}` })
  application.listen(0, '127.0.0.1')
  await once(application, 'listening')
  const { port } = application.address() as AddressInfo
  nginx = await startNginx(configuration, host, {
    'cardea-auth.cardea-system.svc.cluster.local:80': new URL(auth.url).host,
    'application.acme.svc.cluster.local:80': `127.0.0.1:${port}`,
  })
})
afterAll(async () => {
  await nginx.stop()
  application.close()
  await auth.stop()
  await records.close()
  await database.drop()
})

const page = { 'sec-fetch-mode': 'navigate', 'sec-fetch-site': 'none' }

async function send(path: string, headers: Record<string, string> = {}, method = 'GET') {
  seen = undefined
  const sent = request({
    host: '127.0.0.1',
    port: nginx.port,
    servername: host,
    rejectUnauthorized: false,
    path,
    method,
    headers: { host, ...headers },
  })
  sent.end()
  const [response] = await once(sent, 'response')
  let body = ''
  for await (const chunk of response) body += chunk
  return { status: response.statusCode, headers: response.headers as IncomingHttpHeaders, body }
}

test('an application behind nginx is told who asks, and nothing that a client made up', async () => {
  const answer = await send('/scans?x=1', { 'x-api-key': key, ...made })
  expect(answer).toMatchObject({ status: 200, body: 'the application' })
  const told = Object.entries(seen ?? {}).filter(([name]) => /^x.cardea/i.test(name))
  expect(Object.fromEntries(told)).toEqual({
    'x-cardea-organization': 'acme',
    'x-cardea-subject': 'ci',
    'x-cardea-subject-kind': 'APIKey',
    'x-cardea-subject-id': expect.any(String),
    'x-cardea-credential-id': expect.any(String),
  })
})

test('a person’s cookie counts behind nginx, and not for the page of another site', async () => {
  expect(await send('/', { cookie, ...page })).toMatchObject({ status: 200 })
  expect(seen).toMatchObject({ 'x-cardea-subject': 'ada@acme.example', 'x-cardea-roles': 'viewer' })
  expect(await send('/', { cookie, origin: 'https://evil.example' })).toMatchObject({ status: 403 })
  expect(seen).toBeUndefined()
})

test('nginx sends a browser to sign in, and tells a program that it must', async () => {
  expect(await send('/scans/7?x=1&y=2', page)).toMatchObject({
    status: 302,
    headers: { location: `https://${host}/login?return_to=/scans/7` },
  })
  expect(await send('/%0d%0aset-cookie:x=1', page)).toMatchObject({
    status: 302,
    headers: { location: `https://${host}/login?return_to=/` },
  })
  expect(await send('/scans/7')).toMatchObject({ status: 401 })
  expect(await send('/scans/7', page, 'POST')).toMatchObject({ status: 401 })
  expect(seen).toBeUndefined()
})

test('Cardea’s own paths are Cardea’s behind nginx, and those for programs are not there', async () => {
  const login = await send('/login?return_to=/scans/7')
  expect(login.status).toBe(200)
  expect(login.body).toContain('Sign in')
  const [, sheet = ''] = /href="(\/assets\/[^"]+)"/.exec(login.body) ?? []
  for (const path of [sheet, '/openapi.json', '/.well-known/jwks.json']) {
    expect(await send(path), path).not.toMatchObject({ body: 'the application' })
  }
  for (const path of [
    '/_cardea',
    '/check',
    '/oauth2/introspect',
    '/v1/provider-credentials/resolve',
  ]) {
    expect((await send(path)).status, path).toBeOneOf([401, 404])
  }
})

test('who asks too often is told so by nginx, and an error of the application is its own', async () => {
  expect(await send('/', { 'x-api-key': narrow })).toMatchObject({ status: 200 })
  const refused = await send('/', { 'x-api-key': narrow })
  expect(refused.status).toBe(429)
  expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
  expect(await send('/broken', { 'x-api-key': key })).toMatchObject({
    status: 500,
    body: 'the application',
  })
})

test('without an auth service nginx lets nobody through', async () => {
  await auth.stop()
  expect(await send('/', { 'x-api-key': key })).toMatchObject({ status: 503 })
  expect(seen).toBeUndefined()
})
