import { afterAll, beforeAll, expect, test } from 'vitest'
import { type RunningAuth, startAuth } from '../support/authservice.ts'
import {
  aSession,
  aSigningKey,
  aTokenSession,
  aUser,
  claimsOf,
  endSession,
  type TestSigningKey,
  type TokenSessionRecord,
  type UserRecord,
} from '../support/peoplerecords.ts'
import { testDatabase } from '../support/postgres.ts'
import { type ApiKeyFields, type ApiKeyRecord, Records } from '../support/records.ts'

const database = await testDatabase()
const records = await Records.open(database.superuserUrl)
const expiresAt = new Date('2099-01-01T00:00:00Z')
const publicUrl = 'https://id.example.com'
let auth: RunningAuth
let signing: TestSigningKey
let ann: UserRecord
let session: TokenSessionRecord
let cookie: string
const keys: Record<string, ApiKeyRecord> = {}

beforeAll(async () => {
  const organization = await records.organization('acme')
  const stranger = await records.organization('stranger')
  const scanner = await records.project(organization, 'scanner')
  const billing = await records.project(organization, 'billing')
  const add = async (name: string, fields: ApiKeyFields = {}, owner = organization) => {
    keys[name] = await records.apiKey(owner, { name, ...fields })
  }
  const scopes = ['cardea:introspect']
  await add('gateway', { scopes, allowedCidrs: ['192.0.2.0/24'] })
  await add('scanner-gateway', { scopes, project: scanner })
  await add('limited', { scopes, rateLimit: [1, 3_600_000] })
  await add('plain', { scopes: ['scans:read'] })
  await add('ci', { scopes: ['scans:read', 'scans:write'], project: scanner, expiresAt })
  await add('biller', { project: billing })
  await add('wide', { scopes: ['a:b'] })
  await add('expired', { expiresAt: new Date(Date.now() - 1000) })
  await add('revoked')
  await add('foreign', { scopes }, stranger)
  await records.revoke(keys['revoked'] as ApiKeyRecord)
  await records.binding(organization, 'developer', ['ci'], scanner)
  const subjects = JSON.stringify([{ kind: 'User', name: 'ann@acme.example' }])
  await records.client.query(
    `insert into cardea.role_bindings (organization_id, name, role, project_id, subjects, managed_by)
      values ($1, 'ann', 'viewer', $2, $3, 'api')`,
    [organization, scanner, subjects],
  )
  await add('biller-gateway', { scopes, project: billing })
  signing = await aSigningKey(records)
  ann = await aUser(records, organization, { email: 'ann@acme.example' })
  session = await aTokenSession(records, ann)
  cookie = (await aSession(records, ann)).text
  auth = await startAuth(database.authUrl, { CARDEA_PUBLIC_URL: publicUrl })
})
afterAll(async () => {
  await auth.stop()
  await records.close()
  await database.drop()
})

const textOf = (name: string) => (keys[name] as ApiKeyRecord).text

async function post(caller: string | undefined, body: string | URLSearchParams, headers = {}) {
  const answer = await fetch(`${auth.url}/oauth2/introspect`, {
    method: 'POST',
    body,
    headers: {
      'x-forwarded-for': '192.0.2.1',
      ...(caller !== undefined && { authorization: `Bearer ${caller}` }),
      ...headers,
    },
  })
  return { answer, body: (await answer.json()) as Record<string, unknown> }
}

const introspect = (caller: string, token: string) =>
  post(textOf(caller), new URLSearchParams({ token, token_type_hint: 'access_token' }))

test('an active credential is described as RFC 7662 says', async () => {
  const { answer, body } = await introspect('gateway', textOf('ci'))
  expect(answer.status).toBe(200)
  expect(answer.headers.get('content-type')).toMatch(/^application\/json/)
  expect(answer.headers.get('cache-control')).toBe('no-store')
  expect(body).toEqual({
    active: true,
    scope: 'scans:read scans:write',
    client_id: keys['ci']?.id,
    sub: 'ci',
    token_type: 'Bearer',
    iat: expect.any(Number),
    exp: expiresAt.getTime() / 1000,
    organization: 'acme',
    project: 'scanner',
    roles: ['developer'],
  })
  expect(Math.abs((body['iat'] as number) - Date.now() / 1000)).toBeLessThan(300)
})

test('without a project or an end, neither is named', async () => {
  const { body } = await introspect('gateway', textOf('wide'))
  expect(Object.keys(body)).not.toContain('project')
  expect(Object.keys(body)).not.toContain('exp')
})

test.each([
  ['expired', () => textOf('expired')],
  ['revoked', () => textOf('revoked')],
  ['unknown', () => 'ck_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf3VoMSW'],
  ['garbled', () => 'nonsense'],
  ['another organization’s', () => textOf('foreign')],
  ['far too long', () => 'x'.repeat(4000)],
  ['not ASCII', () => 'ünïcödé-0123456789'],
])('a credential that is %s is not active, and that is all that is said', async (_, token) => {
  const { answer, body } = await introspect('gateway', token())
  expect(answer.status).toBe(200)
  expect(body).toEqual({ active: false })
})

test('who is confined to a project sees what may be used there', async () => {
  const active = async (name: string) =>
    (await introspect('scanner-gateway', textOf(name))).body['active']
  expect(await active('ci')).toBe(true)
  expect(await active('wide')).toBe(true)
  expect(await active('biller')).toBe(false)
})

test.each<[string, string | undefined, number, string]>([
  ['nobody', undefined, 401, 'credential_missing'],
  ['a garbled credential', 'nonsense', 401, 'credential_invalid'],
  ['who lacks the scope', 'plain', 403, 'insufficient_scope'],
])('%s may not ask', async (_, caller, status, code) => {
  const credential = caller === 'plain' ? textOf('plain') : caller
  const { answer, body } = await post(credential, new URLSearchParams({ token: textOf('ci') }))
  expect([answer.status, body['code']]).toEqual([status, code])
  expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer realm="cardea"/)
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/)
})

test('the caller is held to its own networks and its own rate limit', async () => {
  const outside = { 'x-forwarded-for': '203.0.113.9' }
  const form = new URLSearchParams({ token: textOf('ci') })
  expect((await post(textOf('gateway'), form, outside)).body['code']).toBe('address_not_allowed')
  expect((await introspect('limited', textOf('ci'))).answer.status).toBe(200)
  const { answer } = await introspect('limited', textOf('ci'))
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([429, '3600'])
})

test.each([
  ['no token', 'token_type_hint=x', undefined, 400, 'invalid_request'],
  ['an empty token', 'token=', undefined, 400, 'invalid_request'],
  ['a token twice', 'token=a&token=b', undefined, 400, 'invalid_request'],
  ['nothing at all', '', undefined, 400, 'invalid_request'],
  ['JSON', '{"token":"x"}', 'application/json', 415, 'unsupported_media_type'],
  ['a body that is too large', `token=${'x'.repeat(70_000)}`, undefined, 413, 'body_too_large'],
  ['a prototype', '__proto__=x&constructor=y', undefined, 400, 'invalid_request'],
])('a request with %s is refused', async (_, body, mediaType, status, code) => {
  const headers = { 'content-type': mediaType ?? 'application/x-www-form-urlencoded' }
  const { answer, body: problem } = await post(textOf('gateway'), body, headers)
  expect([answer.status, problem['code']]).toEqual([status, code])
})

test('who is not known hears nothing about what they sent', async () => {
  const headers = { 'content-type': 'application/json' }
  expect((await post(undefined, '{', headers)).answer.status).toBe(401)
})

test('the public surface is described in OpenAPI 3.1', async () => {
  const answer = await fetch(`${auth.url}/openapi.json`)
  const document = (await answer.json()) as { openapi: string; paths: Record<string, unknown> }
  expect(document.openapi).toBe('3.1.0')
  const programs = Object.keys(document.paths).filter(
    (path) => !/^\/(api|oauth2\/revoke)/.test(path),
  )
  expect(programs).toEqual([
    '/check',
    '/check/{path}',
    '/oauth2/introspect',
    '/v1/provider-credentials/resolve',
    '/.well-known/jwks.json',
    '/openapi.json',
  ])
})

test('an access token is described by what it says and by what its person may now', async () => {
  const claims = claimsOf(publicUrl, session)
  const { body } = await introspect('gateway', signing.token(claims))
  expect(body).toEqual({
    active: true,
    scope: '',
    client_id: 'cardea',
    sub: ann.id,
    username: 'ann@acme.example',
    jti: claims.jti,
    token_type: 'Bearer',
    iat: claims.iat,
    exp: claims.exp,
    organization: 'acme',
    roles: [],
  })
})

test('a key of a project is told of the people who have a role there, and of no others', async () => {
  const token = signing.token(claimsOf(publicUrl, session))
  expect((await introspect('scanner-gateway', token)).body).toMatchObject({
    active: true,
    project: 'scanner',
    roles: ['viewer'],
  })
  expect((await introspect('biller-gateway', token)).body).toEqual({ active: false })
})

test('a token of another organization, one that is forged, and a cookie are not active', async () => {
  const token = signing.token(claimsOf(publicUrl, session))
  expect((await introspect('foreign', token)).body).toEqual({ active: false })
  const [head, body] = token.split('.')
  const forged = `${head}.${body}.${'A'.repeat(86)}`
  expect((await introspect('gateway', forged)).body).toEqual({ active: false })
  expect((await introspect('gateway', cookie)).body).toEqual({ active: false })
})

test('a token of a session that ended is not active', async () => {
  const ended = await aTokenSession(records, ann)
  const token = signing.token(claimsOf(publicUrl, ended))
  expect((await introspect('gateway', token)).body).toMatchObject({ active: true })
  await endSession(records, ended)
  await expect
    .poll(async () => (await introspect('gateway', token)).body)
    .toEqual({ active: false })
})

test('a person may not introspect: that is for programs', async () => {
  const { answer } = await post(signing.token(claimsOf(publicUrl, session)), 'token=x')
  expect(answer.status).toBe(403)
})
