import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually, type RunningAuth, startAuth } from '../support/authservice.ts'
import { testDatabase } from '../support/postgres.ts'
import { type ApiKeyRecord, Records } from '../support/records.ts'

const database = await testDatabase()
const records = await Records.open(database.superuserUrl)
const day = 86_400_000
const imported = 'sk-live-elsewhere-0123456789'
let auth: RunningAuth
let organization: string
const keys: Record<string, ApiKeyRecord> = {}

beforeAll(async () => {
  organization = await records.organization('acme')
  const project = await records.project(organization, 'scanner')
  const other = await records.project(organization, 'billing')
  const gone = await records.project(organization, 'gone')
  await records.role(organization, 'runner', ['scans:run', 'scans/results:*'])
  const add = async (name: string, fields: Parameters<Records['apiKey']>[1] = {}) => {
    keys[name] = await records.apiKey(organization, { name, ...fields })
  }
  const scopes = ['scans:read', 'scans:write']
  await add('ci', { project, scopes, expiresAt: new Date(Date.now() + day) })
  await add('wide', { scopes })
  await add('bare')
  await add('near', { allowedCidrs: ['127.0.0.0/8', '10.0.0.0/8', '2001:db8::/32'] })
  await add('web', { allowedOrigins: ['https://ci.acme.example'] })
  await add('expired', { expiresAt: new Date(Date.now() - 1000) })
  await add('expiring', { expiresAt: new Date(Date.now() + day) })
  await add('revoked')
  await add('orphan', { project: gone })
  await add('imported', { imported })
  await records.revoke(keys['revoked'] as ApiKeyRecord)
  await records.client.query('update cardea.projects set deleted_at = now() where id = $1', [gone])
  await records.binding(organization, 'runner', ['ci', 'wide'], project)
  await records.binding(organization, 'viewer', ['ci', 'wide'])
  await records.binding(organization, 'admin', ['wide'], other)
  await records.binding(organization, 'vanished', ['ci'])
  auth = await startAuth(database.authUrl)
})
afterAll(async () => {
  await auth.stop()
  await records.close()
  await database.drop()
})

const textOf = (name: string) => (keys[name] as ApiKeyRecord).text

async function ask(
  key: string | undefined,
  query = '',
  headers: Record<string, string> = {},
): Promise<{ status: number; body: Record<string, unknown>; headers: Headers }> {
  const answer = await fetch(`${auth.url}/check${query}`, {
    headers: { ...(key !== undefined && { 'x-api-key': key }), ...headers },
  })
  return {
    status: answer.status,
    body: (await answer.json()) as Record<string, unknown>,
    headers: answer.headers,
  }
}

test('a good key is told who it is, in headers and in the body', async () => {
  const { status, body, headers } = await ask(textOf('ci'), '?scope=scans:read')
  expect(status).toBe(200)
  const { id, secretId } = keys['ci'] as ApiKeyRecord
  expect(id).not.toBe(secretId)
  expect(body).toEqual({
    organization: 'acme',
    project: 'scanner',
    subject: 'ci',
    subjectKind: 'APIKey',
    subjectId: id,
    roles: ['runner', 'viewer'],
    scopes: ['scans:read', 'scans:write'],
    credentialId: secretId,
  })
  expect(Object.fromEntries([...headers].filter(([name]) => name.startsWith('x-cardea-')))).toEqual(
    {
      'x-cardea-organization': 'acme',
      'x-cardea-project': 'scanner',
      'x-cardea-subject': 'ci',
      'x-cardea-subject-kind': 'APIKey',
      'x-cardea-subject-id': id,
      'x-cardea-roles': 'runner,viewer',
      'x-cardea-scopes': 'scans:read scans:write',
      'x-cardea-credential-id': secretId,
    },
  )
  expect(headers.get('cache-control')).toBe('no-store')
  expect(headers.get('x-content-type-options')).toBe('nosniff')
})

test('every identity header is there, empty when there is nothing to say', async () => {
  const { headers } = await ask(textOf('bare'), '', {
    'x-cardea-project': 'forged',
    'X-Cardea-Roles': 'owner',
    x_cardea_organization: 'forged',
  })
  expect(headers.get('x-cardea-project')).toBe('')
  expect(headers.get('x-cardea-roles')).toBe('')
  expect(headers.get('x-cardea-scopes')).toBe('')
  expect([...headers.values()].join()).not.toContain('forged')
})

test.each([
  ['what it has', 'ci', '?scope=scans:read', 200, undefined],
  ['all that it has', 'ci', '?scope=scans:read%20scans:write', 200, undefined],
  ['with a plus for the space', 'ci', '?scope=scans:read+scans:write', 200, undefined],
  ['one that it lacks', 'ci', '?scope=scans:read+scans:delete', 403, 'insufficient_scope'],
  ['one when it has none', 'bare', '?scope=scans:read', 403, 'insufficient_scope'],
  ['a permission of a custom role', 'ci', '?permission=scans:run', 200, undefined],
  ['a permission by wildcard', 'ci', '?permission=scans/results:delete', 200, undefined],
  ['a permission of a built-in role', 'ci', '?permission=projects:read', 200, undefined],
  [
    'a permission that no role gives',
    'ci',
    '?permission=projects:delete',
    403,
    'permission_denied',
  ],
  ['a permission without a role', 'bare', '?permission=projects:read', 403, 'permission_denied'],
  ['its own project', 'ci', '?project=scanner', 200, undefined],
  ['another project', 'ci', '?project=billing', 403, 'project_not_allowed'],
  ['a project that does not exist', 'ci', '?project=nothing', 403, 'project_not_allowed'],
  ['any project, when it is for all', 'wide', '?project=billing', 200, undefined],
  ['a project of nobody', 'wide', '?project=nothing', 403, 'project_not_allowed'],
  ['a project that was deleted', 'wide', '?project=gone', 403, 'project_not_allowed'],
  ['nothing, and its project is deleted', 'orphan', '', 403, 'project_not_allowed'],
  ['a role that is given elsewhere', 'wide', '?permission=scans:run', 403, 'permission_denied'],
  ['that role where it is given', 'wide', '?permission=scans:run&project=scanner', 200, undefined],
  ['another role elsewhere', 'wide', '?permission=api-keys:write&project=billing', 200, undefined],
  ['all at once', 'ci', '?scope=scans:read&permission=scans:run&project=scanner', 200, undefined],
])('asked for %s, %s %s gets %i', async (_, key, query, status, code) => {
  const answer = await ask(textOf(key), query)
  expect([answer.status, answer.body['code']]).toEqual([status, code])
})

test.each([
  ['a scope twice', '?scope=a&scope=b'],
  ['no scope', '?scope='],
  ['a quotation mark', '?scope=%22'],
  ['a NUL', '?scope=a%00'],
  ['two spaces', '?scope=a++b'],
  ['a permission twice', '?permission=x:y&permission=x:z'],
  ['every permission', '?permission=*:*'],
  ['every verb', '?permission=scans:*'],
  ['no permission', '?permission=nonsense'],
  ['a path', '?project=../other'],
  ['a project twice', '?project=a&project=a'],
  ['SQL', "?project=a'%20or%201=1--"],
  ['a misspelt parameter', '?scpoe=admin'],
  ['a prototype', '?__proto__=x'],
  ['a constructor', '?constructor=x'],
  ['too much', `?scope=${'a'.repeat(5000)}`],
])('a question with %s is refused', async (_, query) => {
  const answer = await ask(textOf('ci'), query)
  expect([answer.status, answer.body['code']]).toEqual([400, 'bad_question'])
})

test('behind the address for Envoy, the query is the client’s and asks nothing', async () => {
  for (const path of ['/', '/?scope=nobody:has', '/scans?scope=a&scope=b', '/%zz?project=x']) {
    const answer = await fetch(`${auth.url}/check${path}`, {
      headers: { 'x-api-key': textOf('ci') },
    })
    expect(answer.status, path).toBe(200)
  }
})

test.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'])(
  'the method %s is that of the original request and is judged alike',
  async (method) => {
    const answer = await fetch(`${auth.url}/check`, {
      method,
      headers: { authorization: `bearer ${textOf('ci')}` },
    })
    expect(answer.status).toBe(200)
  },
)

test('HEAD gets the headers alone', async () => {
  const headers = { 'x-api-key': textOf('ci') }
  const answer = await fetch(`${auth.url}/check`, { method: 'HEAD', headers })
  expect(answer.status).toBe(200)
  expect(answer.headers.get('x-cardea-subject')).toBe('ci')
  expect(await answer.text()).toBe('')
})

test('a key that was minted elsewhere is known by its digest', async () => {
  expect((await ask(imported)).body['subject']).toBe('imported')
  expect((await ask(`${imported}x`)).status).toBe(401)
})

test('expired, revoked, unknown and garbled keys get the same answer', async () => {
  const unknown = 'ck_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf3VoMSW'
  const candidates = [textOf('expired'), textOf('revoked'), unknown, `${textOf('ci')}x`, 'x']
  const answers = await Promise.all(candidates.map((key) => ask(key)))
  const shown = answers.map(({ status, body, headers }) => {
    const { requestId, ...rest } = body
    expect(requestId).toBe(headers.get('x-request-id'))
    const named = [...headers].filter(
      ([name]) => !['date', 'x-request-id', 'content-length'].includes(name),
    )
    return JSON.stringify({ status, rest, named })
  })
  expect(new Set(shown).size).toBe(1)
  expect(answers[0]?.status).toBe(401)
  expect(answers[0]?.headers.get('www-authenticate')).toBe(
    'Bearer realm="cardea", error="invalid_token"',
  )
  expect(answers[0]?.body).toMatchObject({
    type: 'https://cardea.dev/problems/credential-invalid',
    status: 401,
    code: 'credential_invalid',
  })
})

test('a key ends when it expires, not when somebody looks', async () => {
  const soon = new Date(Date.now() + 1500)
  const { id } = keys['expiring'] as ApiKeyRecord
  await records.client.query('update cardea.api_keys set expires_at = $2 where id = $1', [id, soon])
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect((await ask(textOf('expiring'))).status).toBe(200)
  await new Promise((resolve) => setTimeout(resolve, soon.getTime() - Date.now()))
  expect((await ask(textOf('expiring'))).status).toBe(401)
})

test.each([
  ['a proxy that does not say', undefined, 403],
  ['an address inside', '10.1.2.3', 200],
  ['an address inside, in IPv6’s clothes', '::ffff:10.1.2.3', 200],
  ['an IPv6 address inside', '2001:db8:1::1', 200],
  ['an address outside', '203.0.113.9', 403],
  ['an IPv6 address outside', '2001:db9::1', 403],
  ['what the client made up, before the one outside', '10.1.2.3, 203.0.113.9', 403],
  ['an address outside, before the one inside', '203.0.113.9, 10.1.2.3', 200],
  ['a trusted proxy in between', '10.1.2.3, 127.0.0.2', 200],
  ['nonsense', 'unknown', 403],
  ['an empty hop', '10.1.2.3,', 403],
  ['an address with a zone', 'fe80::1%eth0', 403],
  ['an address with a port', '10.1.2.3:4711', 200],
])('from %s (%s), a key with networks gets %i', async (_, forwardedFor, status) => {
  const headers = forwardedFor === undefined ? undefined : { 'x-forwarded-for': forwardedFor }
  const answer = await ask(textOf('near'), '', headers)
  expect(answer.status).toBe(status)
  if (status === 403) expect(answer.body['code']).toBe('address_not_allowed')
})

test.each([
  ['no origin, which is no browser', undefined, 200],
  ['the listed origin', 'https://ci.acme.example', 200],
  ['another origin', 'https://evil.example', 403],
  ['an origin that begins alike', 'https://ci.acme.example.evil.example', 403],
  ['the origin of a sandbox', 'null', 403],
  ['another port', 'https://ci.acme.example:8443', 403],
])('with %s (%s), a key with origins gets %i', async (_, origin, status) => {
  const answer = await ask(textOf('web'), '', origin === undefined ? {} : { origin })
  expect(answer.status).toBe(status)
  if (status === 403) expect(answer.body['code']).toBe('origin_not_allowed')
})

test('what is lacking is said in the challenge', async () => {
  const { headers } = await ask(textOf('ci'), '?scope=scans:delete+scans:read')
  expect(headers.get('www-authenticate')).toBe(
    'Bearer realm="cardea", error="insufficient_scope", scope="scans:delete scans:read"',
  )
})

test('a change of roles holds at once', async () => {
  const key = await records.apiKey(organization, { name: 'promoted' })
  expect((await ask(key.text, '?permission=audit:read')).status).toBe(403)
  const binding = await records.binding(organization, 'auditor', ['promoted'])
  await eventually(async () => (await ask(key.text, '?permission=audit:read')).status).toBe(200)
  await records.client.query('delete from cardea.role_bindings where id = $1', [binding])
  await eventually(async () => (await ask(key.text, '?permission=audit:read')).status).toBe(403)
})

test('a key that was just made works at once', async () => {
  for (let round = 0; round < 20; round++) {
    const key = await records.apiKey(organization)
    expect((await ask(key.text)).status).toBe(200)
  }
})

test('both secrets of a rotated key work', async () => {
  const key = await records.apiKey(organization, { name: 'rotated' })
  const { text, secretId } = await records.secret(organization, key.id)
  const former = await ask(key.text)
  const present = await ask(text)
  expect([former.status, present.status]).toEqual([200, 200])
  expect(former.body['credentialId']).toBe(key.secretId)
  expect(present.body['credentialId']).toBe(secretId)
})

test('an organization that was deleted admits nobody', async () => {
  const doomed = await records.organization()
  const key = await records.apiKey(doomed)
  await eventually(async () => (await ask(key.text)).status).toBe(200)
  await records.client.query('update cardea.organizations set deleted_at = now() where id = $1', [
    doomed,
  ])
  await eventually(async () => (await ask(key.text)).status).toBe(401)
})
