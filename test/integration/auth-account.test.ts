import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Person } from '../../src/auth/people.ts'
import { sessionCookie } from '../../src/domain/session.ts'
import { type Answer, ask } from '../support/ask.ts'
import { eventually, type RunningAuth, startAuth } from '../support/authservice.ts'
import {
  aPerson,
  claimsOf,
  giveSigningKey,
  issuer,
  keyFile,
  openReplicas,
  type PeopleReplica,
  signIn,
} from '../support/peopleservices.ts'
import { testDatabase } from '../support/postgres.ts'
import { Records } from '../support/records.ts'

const database = await testDatabase()
const records = await Records.open(database.superuserUrl)
const directory = await mkdtemp(path.join(tmpdir(), 'cardea-'))
let replica: PeopleReplica
/** One that signs, and one without a key manager. */
let auth: RunningAuth
let unsigned: RunningAuth
let organization: string
let admin: Person
let ada: Person
let cookie: string
let kms: Readonly<Record<string, string>>

const proxied = { host: 'id.example.com', 'x-forwarded-proto': 'https' }

beforeAll(async () => {
  ;[replica] = await openReplicas(database, records, 1)
  const file = path.join(directory, 'key')
  await writeFile(file, keyFile)
  const settings = { CARDEA_PUBLIC_URL: issuer }
  kms = { CARDEA_KMS: 'local', CARDEA_KMS_LOCAL_KEY_FILE: file }
  auth = await startAuth(database.authUrl, { ...settings, ...kms })
  unsigned = await startAuth(database.authUrl, settings)
})
beforeEach(async () => {
  organization = await records.organization()
  admin = await aPerson(records, organization, { roles: ['admin'] })
  ada = await aPerson(records, organization, { roles: ['viewer'] })
  const started = await signIn(replica, admin, 'browser')
  admin = started.person
  ;({ cookie } = started.session)
  await eventually(async () => (await get('/api/auth/me')).status).toBe(200)
})
afterAll(async () => {
  await Promise.all([auth.stop(), unsigned.stop(), replica.close()])
  await Promise.all([records.close(), rm(directory, { recursive: true })])
  await database.drop()
})

interface Sending {
  readonly as?: string | undefined
  readonly token?: string
  readonly body?: unknown
  readonly type?: string
  readonly url?: string
}

async function send(method: string, target: string, sending: Sending = {}): Promise<Answer> {
  const { token, body, type = 'application/json', url = auth.url } = sending
  const as = 'as' in sending ? sending.as : cookie
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const headers = {
    ...proxied,
    'sec-fetch-site': 'same-origin',
    ...(token === undefined && as !== undefined && { cookie: `${sessionCookie}=${as}` }),
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...(body === undefined ? { 'content-length': '0' } : { 'content-type': type }),
  }
  return ask(`${url}${target}`, {
    method,
    headers: Object.entries(headers),
    ...(text !== undefined && { body: text }),
  })
}
const get = (target: string, sending?: Sending) => send('GET', target, sending)
const post = (target: string, body?: unknown, sending?: Sending) =>
  send('POST', target, { body, ...sending })
const cleared = (answer: Answer) =>
  answer.all('set-cookie').some((line) => line.startsWith(`${sessionCookie}=;`))

test('somebody sees who they are, and changes what they are called', async () => {
  expect((await get('/api/auth/me')).json).toEqual({
    id: admin.userId,
    email: admin.email,
    name: '',
    status: 'active',
    roles: [{ role: 'admin', project: null, source: 'api' }],
    organization: admin.organization,
    displayName: admin.organization,
    createdAt: expect.any(String),
    lastSignedInAt: expect.any(String),
  })
  const answer = await send('PATCH', '/api/auth/me', { body: { name: 'Grace Hopper' } })
  expect(answer.json).toMatchObject({ name: 'Grace Hopper' })
})

test('somebody sees their sessions and ends one, which is refused at once', async () => {
  const other = await signIn(replica, admin, 'browser')
  const list = async () => (await get('/api/auth/sessions')).json['sessions']
  expect(await list()).toHaveLength(2)
  const use = () => get('/api/auth/me', { as: other.session.cookie })
  expect((await use()).status).toBe(200)
  const answer = await post(`/api/auth/sessions/${other.session.sessionId}/revoke`)
  expect([answer.status, cleared(answer)]).toEqual([204, false])
  await eventually(async () => (await use()).status).toBe(401)
  expect(await list()).toMatchObject([{ id: admin.sessionId, current: true }])
})

test.each([
  ['logout', () => post('/api/auth/logout')],
  ['their own session', () => post(`/api/auth/sessions/${admin.sessionId}/revoke`)],
  ['all of them', () => post('/api/auth/sessions/revoke-all', { keep: 'none' })],
])('whoever ends %s has no cookie any more, and the former one is refused', async (_, end) => {
  expect(cleared(await end())).toBe(true)
  await eventually(async () => (await get('/api/auth/me')).status).toBe(401)
})

test('tokens are refreshed, revoked and refused', async () => {
  const { session } = await signIn(replica, ada, 'token')
  const me = (token: string) => get('/api/auth/me', { token })
  await eventually(async () => (await me(session.accessToken)).status).toBe(200)
  const refresh = (token: string) =>
    post('/api/auth/refresh', { refresh_token: token }, { as: undefined })
  const answer = await refresh(session.refreshToken)
  expect(answer.json).toEqual({
    access_token: expect.stringMatching(/^eyJ/),
    token_type: 'Bearer',
    expires_in: 900,
    refresh_token: expect.stringMatching(/^cr_/),
  })
  const { access_token: access, refresh_token: next } = answer.json
  expect((await me(access)).status).toBe(200)
  const revoke = (token: string) =>
    send('POST', '/oauth2/revoke', {
      as: undefined,
      body: `token=${token}&token_type_hint=access_token`,
      type: 'application/x-www-form-urlencoded',
    })
  expect([(await revoke(access)).status, (await revoke('nonsense')).status]).toEqual([200, 200])
  await eventually(async () => (await me(access)).status).toBe(401)
  // The session lives on, and with it the other access token.
  expect((await me(session.accessToken)).status).toBe(200)
  expect((await revoke(next)).status).toBe(200)
  await eventually(async () => (await me(session.accessToken)).status).toBe(401)
  expect(await refresh(next)).toMatchObject({ status: 400, json: { code: 'token_invalid' } })
  expect(claimsOf(access).sid).toBe(session.sessionId)
})

test('a program revokes its token without being a browser', async () => {
  const { session } = await signIn(replica, ada, 'token')
  const answer = await ask(`${auth.url}/oauth2/revoke`, {
    method: 'POST',
    headers: [...Object.entries(proxied), ['content-type', 'application/x-www-form-urlencoded']],
    body: `token=${session.refreshToken}`,
  })
  expect([answer.status, answer.body]).toEqual([200, ''])
})

test('a second use of a refresh token ends what its first use gave', async () => {
  const { session } = await signIn(replica, ada, 'token')
  const refresh = () => post('/api/auth/refresh', { refresh_token: session.refreshToken })
  const { access_token: token } = (await refresh()).json
  await eventually(async () => (await get('/api/auth/me', { token })).status).toBe(200)
  expect((await refresh()).status).toBe(400)
  await eventually(async () => (await get('/api/auth/me', { token })).status).toBe(401)
})

test('a metric tells whether tokens can be signed, and is not there without a key manager', async () => {
  const name = 'cardea_signing_available'
  await eventually(() => auth.metric(name)).toBe(1)
  expect(unsigned.service.registry.getSingleMetric(name)).toBeUndefined()
  const settings = { CARDEA_PUBLIC_URL: issuer, CARDEA_INSTALLATION: 'young', ...kms }
  const young = await startAuth(database.authUrl, settings)
  try {
    expect(await young.metric(name)).toBe(0)
    await giveSigningKey(records, 'young')
    await eventually(() => young.metric(name)).toBe(1)
  } finally {
    await young.stop()
  }
})

test('without a key manager no token is given, and a refresh token is not used up', async () => {
  const { session } = await signIn(replica, ada, 'token')
  const body = { refresh_token: session.refreshToken }
  const refused = await post('/api/auth/refresh', body, { url: unsigned.url })
  expect(refused).toMatchObject({ status: 503, json: { code: 'signing_unavailable' } })
  expect((await post('/api/auth/refresh', body)).status).toBe(200)
})

test('an address that was invited again and again is left in peace, and the answer says for how long', async () => {
  const invite = () => post('/api/auth/invite', { email: 'bob@acme.example', role: 'viewer' })
  for (let times = 0; times < 5; times++) expect((await invite()).status).toBe(201)
  const refused = await invite()
  expect(refused).toMatchObject({ status: 429, json: { code: 'too_many_requests' } })
  expect(Number(refused.all('retry-after')[0])).toBeGreaterThan(3500)
})

test('an admin invites somebody and revokes that', async () => {
  const answer = await post('/api/auth/invite', { email: 'New@acme.example', role: 'viewer' })
  expect(answer).toMatchObject({
    status: 201,
    json: { email: 'new@acme.example', role: 'viewer', project: null },
  })
  const { id } = answer.json
  const list = async () => (await get('/api/auth/invitations')).json['invitations']
  expect(await list()).toMatchObject([{ id }])
  expect((await post(`/api/auth/invitations/${id}/revoke`)).status).toBe(204)
  expect(await list()).toEqual([])
})

test('an admin changes what a member may do, and takes it from them at once', async () => {
  const started = await signIn(replica, ada, 'browser')
  const may = async () =>
    (await get('/check?permission=audit:export', { as: started.session.cookie })).status
  await eventually(may).toBe(403)
  const owner = await aPerson(records, organization, { roles: ['owner'] })
  const { session } = await signIn(replica, owner, 'browser')
  const change = (roles: object[]) =>
    send('PUT', `/api/members/${ada.userId}/roles`, { as: session.cookie, body: { roles } })
  expect((await change([{ role: 'auditor' }])).json).toMatchObject({
    roles: [{ role: 'auditor', project: null, source: 'api' }],
  })
  await eventually(may).toBe(200)
  expect((await change([])).status).toBe(200)
  await eventually(may).toBe(403)
})

test('whoever gives up privileges gets another cookie', async () => {
  const body = { roles: [{ role: 'viewer' }] }
  const answer = await send('PUT', `/api/members/${admin.userId}/roles`, { body })
  expect(answer.status).toBe(200)
  const [line = ''] = answer.all('set-cookie')
  const renewed = /^__Host-cardea_session=(session_[^;]+);/.exec(line)?.[1]
  expect(line).toMatch(/; Path=\/; HttpOnly; Secure; SameSite=Lax$/)
  await eventually(async () => (await get('/api/auth/me')).status).toBe(401)
  expect((await get('/api/auth/me', { as: renewed })).status).toBe(200)
})

test('a member is listed, suspended, signed out, brought back and removed', async () => {
  const { session } = await signIn(replica, ada, 'browser')
  const use = async () => (await get('/api/auth/me', { as: session.cookie })).status
  expect(await use()).toBe(200)
  const listed = await get('/api/members?limit=1')
  expect(listed.json).toMatchObject({ members: [{ id: admin.userId }], next: admin.userId })
  expect((await get(`/api/members?after=${admin.userId}`)).json).toMatchObject({
    members: [{ id: ada.userId }],
    next: null,
  })
  const member = `/api/members/${ada.userId}`
  expect((await post(`${member}/suspend`)).json).toMatchObject({ status: 'suspended' })
  await eventually(use).toBe(401)
  expect((await post(`${member}/resume`)).json).toMatchObject({ status: 'active' })
  const again = await signIn(replica, ada, 'browser')
  const useAgain = async () => (await get('/api/auth/me', { as: again.session.cookie })).status
  expect(await useAgain()).toBe(200)
  expect((await post(`${member}/sessions/revoke-all`)).json).toEqual({ revoked: 1 })
  await eventually(useAgain).toBe(401)
  expect((await send('DELETE', member)).status).toBe(204)
  expect((await send('DELETE', member)).status).toBe(404)
})

type Route = [method: string, target: string, body: object | undefined]

const routes: readonly Route[] = [
  ['GET', '/api/auth/me', undefined],
  ['PATCH', '/api/auth/me', { name: 'x' }],
  ['GET', '/api/auth/sessions', undefined],
  ['POST', '/api/auth/sessions/ID/revoke', undefined],
  ['POST', '/api/auth/sessions/revoke-all', { keep: 'current' }],
  ['POST', '/api/auth/logout', undefined],
  ['GET', '/api/members', undefined],
  ['PUT', '/api/members/ID/roles', { roles: [] }],
  ['POST', '/api/members/ID/suspend', undefined],
  ['POST', '/api/members/ID/resume', undefined],
  ['DELETE', '/api/members/ID', undefined],
  ['POST', '/api/members/ID/sessions/revoke-all', undefined],
  ['POST', '/api/auth/invite', { email: 'x@acme.example', role: 'viewer' }],
  ['GET', '/api/auth/invitations', undefined],
  ['POST', '/api/auth/invitations/ID/revoke', undefined],
]
const nobody = '0199a5c0-0000-7000-8000-000000000001'

test.each<Route>(routes)('%s %s is for whoever is signed in', async (method, target, body) => {
  const answer = await send(method, target.replace('ID', nobody), { as: undefined, body })
  expect(answer).toMatchObject({ status: 401, json: { code: 'credential_missing' } })
})

test.each<Route>(routes)(
  '%s %s is for people, and not for API keys',
  async (method, target, body) => {
    const { text } = await records.apiKey(organization)
    const answer = await send(method, target.replace('ID', nobody), { token: text, body })
    expect(answer).toMatchObject({ status: 403, json: { code: 'person_required' } })
  },
)

test.each<Route>(routes.filter(([, target]) => target.includes('ID')))(
  '%s %s answers for another organization’s id as for one that does not exist',
  async (method, target, body) => {
    const foreign = await records.organization()
    const stranger = await aPerson(records, foreign, { roles: ['admin'] })
    const theirs = await signIn(replica, stranger, 'browser')
    const invited = await replica.invitations.invite(
      theirs.person,
      { email: 'guest@acme.example', role: 'viewer' },
      { address: undefined, userAgent: undefined, device: undefined, requestId: 'test' },
    )
    const ids = [
      stranger.userId,
      theirs.session.sessionId,
      'id' in invited ? invited.id : '',
      nobody,
      'nonsense',
    ]
    const answers = await Promise.all(
      ids.map(async (id) => {
        const answer = await send(method, target.replace('ID', id), { body })
        return answer.body.replace(answer.json['requestId'], '')
      }),
    )
    expect(new Set(answers).size).toBe(1)
    expect(JSON.parse(answers[0] ?? '')).toMatchObject({ status: 404, code: 'not_found' })
    expect((await get('/api/auth/me', { as: theirs.session.cookie })).status).toBe(200)
  },
)

test.each<[string, string, unknown]>([
  ['POST', '/api/auth/invite', { email: 'x@acme.example', role: 'viewer', organization: 'other' }],
  ['POST', '/api/auth/invite', { email: 'x@acme.example' }],
  ['PUT', `/api/members/${nobody}/roles`, { roles: [{ role: 'viewer', permissions: ['*:*'] }] }],
  ['PUT', `/api/members/${nobody}/roles`, { roles: 'owner' }],
  ['PUT', `/api/members/${nobody}/roles`, { roles: [], email: 'x@acme.example' }],
  ['PATCH', '/api/auth/me', { name: 'x', email: 'x@acme.example' }],
  ['PATCH', '/api/auth/me', { name: 'a\nb' }],
  ['POST', '/api/auth/sessions/revoke-all', { keep: 'current', userId: nobody }],
  ['POST', '/api/auth/sessions/revoke-all', {}],
  ['POST', '/api/auth/logout', { userId: nobody }],
  ['POST', `/api/members/${nobody}/suspend`, { reason: 'x' }],
  ['POST', '/api/auth/refresh', { refresh_token: 'x', scope: 'all' }],
  ['POST', '/api/auth/accept', { token: 'x', name: '', password: 'y', role: 'owner' }],
])('%s %s refuses members that it does not know: %j', async (method, target, body) => {
  const answer = await send(method, target, { body })
  expect(answer).toMatchObject({ status: 400, json: { code: 'invalid_request' } })
  expect((await get('/api/auth/me')).status).toBe(200)
})

test.each(['limit=0', 'limit=x', 'limit=1e3', 'after=x', 'order=name', 'limit=1&limit=2'])(
  'a page that is asked for by %s is refused',
  async (query) => {
    const answer = await get(`/api/members?${query}`)
    expect(answer).toMatchObject({ status: 400, json: { code: 'invalid_request' } })
  },
)

/** A check through the proxy, from an address and a device. */
const checkFrom = (address: string, userAgent: string, as = cookie) =>
  ask(`${auth.url}/check`, {
    headers: [
      ['cookie', `${sessionCookie}=${as}`],
      ['x-forwarded-for', address],
      ['user-agent', userAgent],
    ],
  })
const firefox = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:141.0) Gecko/20100101 Firefox/141.0'
const safari =
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15'
const movesIn = async (sessionId: string) =>
  (
    await records.client.query(
      `select detail -> 'changes' as changes from cardea.audit_events where action = 'session.client_changed' and target_id = $1`,
      [sessionId],
    )
  ).rows.map(({ changes }) => changes)

test.each([
  ['another network', '198.51.100.9', firefox, ['network']],
  ['another device', '203.0.113.8', safari, ['device']],
  ['another network and device', '2001:db8::1', safari, ['network', 'device']],
])(
  'a session that is used from %s goes on, and the trail says so once',
  async (_, address, userAgent, changes) => {
    for (let round = 0; round < 3; round++) {
      expect((await checkFrom(address, userAgent)).status).toBe(200)
    }
    await eventually(() => movesIn(admin.sessionId)).toEqual([changes])
    expect((await checkFrom('192.0.2.77', firefox)).status).toBe(200)
    const [listed] = (await get('/api/auth/sessions')).json['sessions']
    expect(listed).toMatchObject({ address })
  },
)

test('a browser that was updated, or an application that asks for it, is no other device', async () => {
  const before = await signIn(replica, ada, 'browser')
  for (const userAgent of [firefox, 'node', 'Go-http-client/1.1']) {
    const answer = await checkFrom('203.0.200.1', userAgent, before.session.cookie)
    expect(answer.status).toBe(200)
  }
  // What was looked at after it was looked at as well.
  await checkFrom('198.51.100.9', firefox)
  await eventually(() => movesIn(admin.sessionId)).toHaveLength(1)
  expect(await movesIn(before.session.sessionId)).toEqual([])
})
