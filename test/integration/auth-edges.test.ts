import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ask } from '../support/ask.ts'
import {
  eventually,
  peoplesSettings,
  type RunningAuth,
  startAuth,
  startAuthForTest,
} from '../support/authservice.ts'
import { describedRoutes } from '../support/openapiroutes.ts'
import { aPerson, openReplicas, signIn } from '../support/peopleservices.ts'
import { testDatabase } from '../support/postgres.ts'
import { sendRaw } from '../support/rawhttp.ts'
import { Records } from '../support/records.ts'
import {
  askThrough,
  codeOf,
  form,
  type Headers,
  json,
  own,
  proxied,
} from '../support/throughproxy.ts'

const database = await testDatabase()
const records = await Records.open(database.superuserUrl)
let acme: string
/** The cookie of somebody whose organization has pages at app.acme.example. */
let cookie: string
let accessToken: string
/** As from behind a proxy that speaks TLS. */
let remote: RunningAuth
/** As on one's own machine. */
let local: RunningAuth

beforeAll(async () => {
  acme = await records.organization('acme')
  const stranger = await records.organization()
  await allowOrigin(acme, 'https://app.acme.example')
  await allowOrigin(stranger, 'https://app.stranger.example')
  const [replica] = await openReplicas(database, records, 1)
  const person = await aPerson(records, acme, { email: 'ada@acme.example', roles: ['admin'] })
  const browser = await signIn(replica, person, 'browser')
  cookie = `__Host-cardea_session=${browser.session.cookie}`
  accessToken = (await signIn(replica, person, 'token')).session.accessToken
  await replica.close()
  const hosts = { CARDEA_ORGANIZATION_HOSTS: '.id.example.com' }
  remote = await startAuth(database.authUrl, {
    CARDEA_PUBLIC_URL: 'https://id.example.com',
    ...hosts,
  })
  local = await startAuth(database.authUrl, await peoplesSettings())
})
afterAll(async () => {
  await Promise.all([remote.stop(), local.stop()])
  await records.close()
  await database.drop()
})

const through = (path: string, headers?: Headers, method?: string, body?: string) =>
  askThrough(remote.url, path, headers, method, body)
const statusOf = async (...question: Parameters<typeof through>) =>
  (await through(...question)).status
const allowOrigin = (organization: string, origin: string) =>
  records.client.query('update cardea.organizations set settings = $2 where id = $1', [
    organization,
    { origins: [origin] },
  ])

describe('every answer tells browsers what they must not do with it', () => {
  test.each([
    ['a page', '/login', 200, 'text/html; charset=utf-8'],
    ['a document', '/openapi.json', 200, 'application/json; charset=utf-8'],
    ['something that is not there', '/nothing', 404, 'application/problem+json; charset=utf-8'],
    ['a path that cannot be read', '/%', 400, 'application/problem+json; charset=utf-8'],
    ['a wrong method', '/openapi.json', 405, 'application/problem+json; charset=utf-8', 'PUT'],
    ['a preflight of nobody', '/openapi.json', 405, undefined, 'OPTIONS'],
  ])('%s (ASVS 3.4.1, 3.4.3 to 3.4.6)', async (_name, path, status, type, method = 'GET') => {
    const answer = await through(path, {}, method)
    expect(answer.status).toBe(status)
    if (type !== undefined) expect(answer.header('content-type')).toBe(type)
    expect(answer.header('strict-transport-security')).toBe('max-age=63072000; includeSubDomains')
    expect(answer.header('x-content-type-options')).toBe('nosniff')
    expect(answer.header('x-frame-options')).toBe('DENY')
    expect(answer.header('cross-origin-opener-policy')).toBe('same-origin')
    expect(answer.header('cross-origin-resource-policy')).toBe('same-origin')
    expect(answer.header('content-security-policy')).toMatch(/^default-src 'none';/)
    expect(answer.header('content-security-policy')).toContain("frame-ancestors 'none'")
    expect(answer.header('referrer-policy')).toMatch(/^(no-referrer|same-origin)$/)
    expect(answer.header('cache-control')).toBe('no-store')
    expect(answer.header('x-powered-by')).toBe('')
    expect(answer.header('server')).toBe('')
  })

  test('what is no request of HTTP gets them too', async () => {
    const { status, headers, body } = await sendRaw(remote.url, 'NONSENSE\r\n\r\n')
    expect(status).toBe(400)
    expect(headers).toMatchObject({
      'strict-transport-security': 'max-age=63072000; includeSubDomains',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none';frame-ancestors 'none'",
    })
    expect(JSON.parse(body)).toMatchObject({
      code: 'invalid_request',
      requestId: expect.any(String),
    })
  })

  test('headers of any size end in a problem', async () => {
    const large = `GET /login HTTP/1.1\r\nHost: id.example.com\r\nX-Large: ${'x'.repeat(70_000)}\r\n\r\n`
    const { status, body } = await sendRaw(remote.url, large)
    expect([status, codeOf(body)]).toEqual([431, 'headers_too_large'])
  })
})

test('a page runs no script, loads from nowhere else, and sends its forms to us alone (ASVS 3.4.3)', async () => {
  const policy = (await through('/login')).header('content-security-policy')
  const directives = Object.fromEntries(
    policy.split(';').map((directive) => {
      const [name = '', ...values] = directive.split(' ')
      return [name, values.join(' ')]
    }),
  )
  expect(directives).toEqual({
    'default-src': "'none'",
    'style-src': "'self'",
    'img-src': "'self'",
    'font-src': "'self'",
    'form-action': "'self'",
    'base-uri': "'none'",
    'object-src': "'none'",
    'frame-ancestors': "'none'",
  })
})

describe('a host that is not ours', () => {
  test.each(['evil.example', 'id.example.com.evil.example', 'a.b.id.example.com', '127.0.0.1'])(
    '%s gets no page',
    async (host) => {
      const answer = await through('/login', { host })
      expect([answer.status, codeOf(answer.body)]).toEqual([421, 'host_not_allowed'])
    },
  )

  test('is told on a page to whoever looks at one', async () => {
    const answer = await through('/login', { host: 'evil.example', accept: 'text/html' })
    expect(answer.status).toBe(421)
    expect(answer.body).toContain('These pages are not at this address')
  })

  test.each(['id.example.com', 'ID.EXAMPLE.COM', 'acme.id.example.com'])(
    'while %s does',
    async (host) => {
      expect((await through('/login', { host })).status).toBe(200)
    },
  )

  test('gets none beside a second one that is ours', async () => {
    const lines = 'GET /login HTTP/1.1\r\nHost: id.example.com\r\nHost: evil.example\r\n'
    const { status } = await sendRaw(remote.url, `${lines}Connection: close\r\n\r\n`)
    expect(status).toBe(421)
  })

  test('is good enough for machines, which ask by the name of the Service', async () => {
    const host = 'cardea-auth.cardea-system.svc'
    expect((await through('/.well-known/jwks.json', { host })).status).toBe(200)
    expect((await through('/check', { host })).status).toBe(401)
  })

  test('says nothing where the proxy claims another one', async () => {
    const answer = await through('/login', { 'x-forwarded-host': 'evil.example' })
    expect(answer.status).toBe(200)
    expect(answer.body).not.toContain('evil.example')
  })
})

describe('plain HTTP', () => {
  const html = { accept: 'text/html' }

  test.each([
    ['the proxy was asked by HTTP', { 'x-forwarded-proto': 'http' }],
    ['one of two proxies was asked by HTTP', { 'x-forwarded-proto': 'https, http' }],
    ['the proxy does not say', { 'x-forwarded-proto': '' }],
  ])('leads somebody who looks at a page to HTTPS when %s', async (_name, headers) => {
    const answer = await through('/login?a=b', { ...headers, ...html })
    expect(answer.status).toBe(308)
    expect(answer.header('location')).toBe('https://id.example.com/login?a=b')
  })

  test.each(['//evil.example/', '/\\evil.example'])('leads nobody elsewhere: %s', async (path) => {
    const lines = `GET ${path} HTTP/1.1\r\nHost: id.example.com\r\nAccept: text/html\r\nConnection: close\r\n\r\n`
    const { headers } = await sendRaw(remote.url, lines)
    expect(headers['location'] ?? 'https://id.example.com/').toMatch(
      /^https:\/\/id\.example\.com\//,
    )
  })

  test('is refused to a program rather than redirected (ASVS 4.1.2)', async () => {
    const answer = await through('/login', { 'x-forwarded-proto': 'http' })
    expect([answer.status, codeOf(answer.body)]).toEqual([403, 'https_required'])
  })

  test('is what it is where nobody is trusted to say otherwise (ASVS 4.1.3)', async () => {
    const direct = await startAuthForTest(database.authUrl, {
      CARDEA_PUBLIC_URL: 'https://id.example.com',
      CARDEA_TRUSTED_PROXIES: '10.0.0.0/8',
    })
    const { status, json: problem } = await ask(`${direct.url}/api/auth/me`, {
      headers: [...Object.entries(proxied), ['forwarded', 'proto=https'], ['cookie', cookie]],
    })
    expect([status, problem.code]).toEqual([403, 'https_required'])
  })

  test('is refused where something is sent, page or not', async () => {
    const headers = { ...html, 'x-forwarded-proto': 'http' }
    const answer = await through('/login', headers, 'POST', '')
    expect(answer.status).toBe(403)
  })

  test('is refused to machines where the proxy says so', async () => {
    const answer = await through('/oauth2/introspect', { 'x-forwarded-proto': 'http' }, 'POST', '')
    expect([answer.status, codeOf(answer.body)]).toEqual([403, 'https_required'])
  })

  test('is what one has on one’s own machine', async () => {
    expect((await fetch(`${local.url}/login`)).status).toBe(200)
  })
})

describe('TRACE and methods that nobody knows (ASVS 13.4.4)', () => {
  test.each(['TRACE', 'PROPFIND', 'PUT'])(
    '%s is answered with the methods that there are',
    async (method) => {
      const answer = await through('/login', {}, method)
      expect(answer.status).toBe(405)
      expect(answer.header('allow').split(', ').sort()).toEqual(['GET', 'HEAD', 'POST'])
      expect(answer.body).not.toContain('x-forwarded')
    },
  )
})

describe('what another site has a browser do (ASVS 3.5.1)', () => {
  const change = (headers: Headers, body = '{"name":"Ada"}') =>
    through('/api/auth/me', { ...json, ...headers }, 'PATCH', body)

  test('is not what one of our own pages does', async () => {
    await eventually(() => statusOf('/api/auth/me', { cookie })).toBe(200)
    expect((await change({ cookie, ...own })).status).toBe(200)
    expect((await change({ cookie, origin: own.origin })).status).toBe(200)
  })

  test.each<[string, Headers]>([
    ['from another site', { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }],
    ['from a neighbour', { origin: 'https://evil.id.example.com', 'sec-fetch-site': 'same-site' }],
    ['from another site, in an old browser', { origin: 'https://evil.example' }],
    ['from a frame without an origin', { origin: 'null' }],
    ['that says nothing of where it comes from', {}],
    ['from a page that the organization shares with', { origin: 'https://app.acme.example' }],
  ])('is refused where a cookie comes along: %s', async (_name, headers) => {
    const answer = await change({ cookie, ...headers })
    expect([answer.status, codeOf(answer.body)]).toEqual([403, 'csrf_refused'])
  })

  test('is what a page of one host has it do at another', async () => {
    const host = 'acme.id.example.com'
    expect((await change({ cookie, host, origin: `https://${host}` })).status).toBe(200)
    expect((await change({ cookie, host, origin: own.origin })).status).toBe(403)
    expect((await change({ cookie, origin: `https://${host}` })).status).toBe(403)
  })

  test('is refused where a cookie comes along beside another credential', async () => {
    const headers = { cookie, authorization: `Bearer ${accessToken}` }
    expect((await change({ ...headers, origin: 'https://evil.example' })).status).toBe(403)
  })

  test('an access token is no cookie: a program needs no origin', async () => {
    expect((await change({ authorization: `Bearer ${accessToken}` })).status).toBe(200)
  })

  test.each(['/login', '/register', '/forgot', '/api/auth/accept', '/api/auth/refresh'])(
    'is refused where nobody is signed in yet (ASVS 7.6.2): %s',
    async (path) => {
      const answer = await through(path, { ...form, origin: 'https://evil.example' }, 'POST', 'a=b')
      expect([answer.status, codeOf(answer.body)]).toEqual([403, 'csrf_refused'])
      expect(answer.header('set-cookie')).toBe('')
    },
  )

  test('a cookie is no credential for the routes of programs, from wherever', async () => {
    const headers = { ...form, cookie, origin: 'https://evil.example' }
    expect(await statusOf('/oauth2/introspect', headers, 'POST', 'token=x')).toBe(403)
  })
})

describe('a body that a form of another site can send (ASVS 3.5.2)', () => {
  test.each([
    ['text/plain'],
    ['application/x-www-form-urlencoded'],
    ['multipart/form-data; boundary=x'],
    ['text/json'],
    ['application/jsonp'],
    [''],
  ])('is none of the API, whatever it claims: %s', async (type) => {
    const headers = { cookie, ...own, 'content-type': type }
    const answer = await through('/api/auth/me', headers, 'PATCH', '{"name":"Eve"}')
    expect([answer.status, codeOf(answer.body)]).toEqual([415, 'unsupported_media_type'])
  })
})

describe('a body of JSON is taken as it is, or not at all (ASVS 15.3.3, 15.3.5, 15.3.6)', () => {
  const send = (body: string) => through('/api/auth/me', { cookie, ...own, ...json }, 'PATCH', body)

  test.each([
    ['a prototype', '{"name":"a","__proto__":{"admin":true}}'],
    ['a constructor', '{"name":"a","constructor":{"prototype":{"admin":true}}}'],
    ['a field that nobody asked for', '{"name":"a","email":"eve@acme.example"}'],
    ['a list for a text', '{"name":["a"]}'],
    ['an object for a text', '{"name":{"$ne":""}}'],
    ['nothing', ''],
    ['no object', '"a"'],
    ['half of it', '{"name":'],
    ['a field twice', '{"name":"a","name":"b"}'],
    ['a field twice, once in other characters', '{"name":"a","\\u006eame":"b"}'],
    ['a byte order mark', '\ufeff{"name":"a"}'],
  ])('%s is refused', async (_name, body) => {
    const answer = await send(body)
    expect([answer.status, codeOf(answer.body)]).toEqual([400, 'invalid_request'])
  })

  test('more than there may be is refused', async () => {
    const answer = await send(JSON.stringify({ name: 'x'.repeat(70_000) }))
    expect([answer.status, codeOf(answer.body)]).toEqual([413, 'body_too_large'])
  })
})

describe('pages of other origins (ASVS 3.4.2)', () => {
  const preflight = (origin: string) =>
    through(
      '/api/auth/me',
      { origin, 'access-control-request-method': 'PATCH', 'access-control-request-headers': 'x' },
      'OPTIONS',
    )
  const headersOf = (answer: Awaited<ReturnType<typeof through>>) => ({
    origin: answer.header('access-control-allow-origin'),
    credentials: answer.header('access-control-allow-credentials'),
  })
  const nothing = { origin: '', credentials: '' }

  test('may ask where an organization lists them', async () => {
    const answer = await preflight('https://app.acme.example')
    expect(answer.status).toBe(204)
    expect(headersOf(answer)).toEqual({ origin: 'https://app.acme.example', credentials: 'true' })
    expect(answer.header('access-control-allow-headers')).toBe(
      'Authorization, Content-Type, X-API-Key',
    )
    expect(answer.header('vary')).toMatch(/origin/i)
  })

  test.each([
    'https://evil.example',
    'https://app.acme.example.evil.example',
    'http://app.acme.example',
    'https://APP.acme.example',
    'null',
    '*',
  ])('may not ask otherwise: %s', async (origin) => {
    const answer = await preflight(origin)
    expect(answer.status).toBe(405)
    expect(headersOf(answer)).toEqual(nothing)
  })

  test('read what their own organization asked for', async () => {
    const bearer = { authorization: `Bearer ${accessToken}` }
    const answer = await through('/api/auth/me', { ...bearer, origin: 'https://app.acme.example' })
    expect(answer.status).toBe(200)
    expect(headersOf(answer)).toEqual({ origin: 'https://app.acme.example', credentials: 'true' })
  })

  test.each([
    ['another organization lists', 'https://app.stranger.example'],
    ['nobody lists', 'https://evil.example'],
    ['has no name', 'null'],
  ])('read nothing when it is an origin that %s', async (_name, origin) => {
    for (const credential of [{ cookie }, { authorization: `Bearer ${accessToken}` }]) {
      const answer = await through('/api/auth/me', { ...credential, origin })
      expect(headersOf(answer)).toEqual(nothing)
    }
  })

  test('read no page, and nothing where nobody is known', async () => {
    const origin = 'https://app.acme.example'
    expect(headersOf(await through('/account', { cookie, origin }))).toEqual(nothing)
    expect(headersOf(await through('/api/auth/me', { origin }))).toEqual(nothing)
  })
})

describe('looking changes nothing (ASVS 3.5.3)', () => {
  const state = async () => {
    const all: object[][] = []
    for (const table of [
      'users',
      'passwords',
      'invitations',
      'role_bindings',
      'one_time_tokens',
      'refresh_tokens',
    ]) {
      all.push((await records.client.query(`select * from cardea.${table} order by id`)).rows)
    }
    return all
  }
  const sessions = async () =>
    (await records.client.query('select id, digest, revoked_at from cardea.sessions order by id'))
      .rows

  test('on any route, for whoever is signed in', async () => {
    const routes = await describedRoutes(remote.url)
    const paths = new Set(routes.map(({ path }) => path.replaceAll(/\{[a-z]+\}/g, 'x')))
    const pages = [
      '/',
      '/login',
      '/logout',
      '/register',
      '/forgot',
      '/account',
      '/account/sessions',
    ]
    const links = ['/verify?token=co_x', '/invitation?token=co_x', '/reset?token=co_x']
    const before = [await state(), await sessions()]
    for (const path of [...paths, ...pages, ...links]) {
      for (const method of ['GET', 'HEAD']) await through(path, { cookie, accept: '*/*' }, method)
    }
    expect([await state(), await sessions()]).toEqual(before)
    expect(await statusOf('/api/auth/me', { cookie })).toBe(200)
  })
})

test('no line of the log has a query, a cookie, a token or a body (ASVS 14.2.1, 16.2.5)', async () => {
  const secret = 'S3cretThatIsNowhere'
  await through(`/verify?token=${secret}`)
  await through(`/nothing?token=${secret}`)
  await through(`/%?token=${secret}`)
  await through(`/check?scope=${secret}`, { cookie: `__Host-cardea_session=${secret}` })
  await through('/api/auth/me', { authorization: `Bearer ${secret}`, cookie: `a=${secret}` })
  const body = JSON.stringify({ email: 'ada@acme.example', password: secret, organization: 'acme' })
  await through('/api/auth/login', json, 'POST', body)
  await through('/api/auth/login', json, 'POST', body.slice(0, -1))
  await through('/api/auth/refresh', json, 'POST', JSON.stringify({ refresh_token: secret }))
  expect(remote.lines.length).toBeGreaterThan(0)
  expect(JSON.stringify(remote.lines)).not.toContain(secret)
  const { rows } = await records.client.query('select * from cardea.audit_events')
  expect(JSON.stringify(rows)).not.toContain(secret)
})
