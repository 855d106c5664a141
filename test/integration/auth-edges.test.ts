import { hashSync } from '@node-rs/argon2'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Person } from '../../src/auth/people.ts'
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

type Headers = Readonly<Record<string, string>>

const proxied: Headers = {
  host: 'id.example.com',
  'x-forwarded-proto': 'https',
  'x-forwarded-for': '192.0.2.1',
}

/** @param headers those that are empty are left out */
async function through(path: string, headers: Headers = {}, method = 'GET', body?: string) {
  const all = Object.entries({ ...proxied, ...headers }).filter(([, value]) => value !== '')
  const answer = await ask(`${remote.url}${path}`, {
    method,
    headers: all,
    ...(body !== undefined && { body }),
  })
  const { status, body: text } = answer
  return { status, body: text, header: (name: string) => answer.all(name).join(' & ') }
}

const statusOf = async (...question: Parameters<typeof through>) =>
  (await through(...question)).status
const allowOrigin = (organization: string, origin: string) =>
  records.client.query('update cardea.organizations set settings = $2 where id = $1', [
    organization,
    { origins: [origin] },
  ])
const givePassword = ({ organizationId, userId }: Person, password: string) =>
  records.client.query(
    'insert into cardea.passwords (organization_id, user_id, hash) values ($1, $2, $3)',
    [
      organizationId,
      userId,
      hashSync(password, { memoryCost: 19_456, timeCost: 2, parallelism: 1 }),
    ],
  )
const codeOf = (body: string) => (JSON.parse(body) as { code: string }).code

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

const json = { 'content-type': 'application/json' }
const form = { 'content-type': 'application/x-www-form-urlencoded' }
const own = { origin: 'https://id.example.com', 'sec-fetch-site': 'same-origin' }

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

describe('whoever is not signed in (ASVS 2.4.1, 6.3.1)', () => {
  const attempt = (address: string, body: string) =>
    through('/api/auth/refresh', { ...json, 'x-forwarded-for': address }, 'POST', body)

  test('is limited by the address, and told when to come again', async () => {
    const answers = await Promise.all(
      Array.from({ length: 125 }, () => attempt('198.51.100.1', '{"refresh_token":"x"}')),
    )
    const limited = answers.filter(({ status }) => status === 429)
    expect(limited).toHaveLength(5)
    const [answer] = limited
    expect(codeOf(answer?.body ?? '')).toBe('too_many_requests')
    expect(Number(answer?.header('retry-after'))).toBeGreaterThan(0)
    expect(answer?.header('ratelimit-policy')).toBe('"address";q=120;w=60')
    expect(answer?.header('ratelimit')).toMatch(/^"address";r=0;t=[0-9]+$/)
    expect((await attempt('198.51.100.2', '{"refresh_token":"x"}')).status).toBe(400)
  })

  test('has one limit for a network of IPv6, in every spelling', async () => {
    const addresses = [
      '2001:db8::1',
      '2001:DB8:0:0::2',
      '2001:0db8:0000:0000:ffff::',
      '[2001:db8::3]:99',
    ]
    const answers = await Promise.all(
      Array.from({ length: 124 }, (_, at) => attempt(addresses[at % 4] ?? '', '{}')),
    )
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(4)
  })

  test('cannot pass an address off as another one', async () => {
    const answers = await Promise.all(
      Array.from({ length: 122 }, (_, at) => attempt(`10.0.0.${at}, 198.51.100.7`, '{}')),
    )
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(2)
  })

  const secret = 'seven purple lanterns adrift'
  const login = (email: string, password: string, headers: Headers) =>
    through(
      '/api/auth/login',
      { ...json, ...headers },
      'POST',
      JSON.stringify({ email, password, organization: 'acme' }),
    )
  const deviceOf = (signedIn: Awaited<ReturnType<typeof login>>) => {
    expect(signedIn.status).toBe(200)
    return /__Host-cardea_device=[^;]+/.exec(signedIn.header('set-cookie'))?.[0] ?? ''
  }
  const askForLink = (email: string, address: string) =>
    through(
      '/api/auth/password-reset/request',
      { ...json, 'x-forwarded-for': address },
      'POST',
      JSON.stringify({ email, organization: 'acme' }),
    )

  test('is limited by the account that is named, in every spelling', async () => {
    const spellings = [
      'eve@acme.example',
      'EVE@acme.example',
      ' Eve@Acme.Example ',
      'eve@ACME.example',
    ]
    const answers = await Promise.all(
      Array.from({ length: 64 }, (_, at) =>
        askForLink(spellings[at % 4] ?? '', `2001:db8:1:1::${at}`),
      ),
    )
    const limited = answers.filter(({ status }) => status === 429)
    expect(limited).toHaveLength(4)
    expect(limited[0]?.header('ratelimit-policy')).toBe('"account";q=60;w=60')
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(60)
    expect((await askForLink('adam@acme.example', '2001:db8:1:1::1')).status).toBe(202)
  })

  test('uses up nobody’s account: its owner goes on from elsewhere, on every route', async () => {
    const email = 'mary@acme.example'
    await givePassword(await aPerson(records, acme, { email }), secret)
    const [attacker, owner] = ['198.51.102.1', '198.51.102.2']
    const device = deviceOf(await login(email, secret, { 'x-forwarded-for': owner }))
    const routes = [
      ...(await describedRoutes(remote.url)).filter(
        ({ by, method, media }) =>
          by === 'anybody' && method === 'POST' && media === 'application/json',
      ),
      ...[
        '/login',
        '/login/password',
        '/login/code/request',
        '/login/code',
        '/forgot',
        '/register',
      ].map((path) => ({ path, media: undefined })),
    ]
    expect(routes.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['/api/auth/login', '/api/auth/otp/verify', '/api/auth/register']),
    )
    const send = ({ path, media }: { path: string; media?: string | undefined }, address: string) =>
      through(
        path,
        { ...(media ? json : form), ...own, cookie: device, 'x-forwarded-for': address },
        'POST',
        media ? JSON.stringify({ email }) : new URLSearchParams({ email }).toString(),
      )
    const guesses = Array.from({ length: 6 }, () =>
      login(email, 'nine purple lanterns adrift', { 'x-forwarded-for': attacker }),
    )
    const junk = Array.from({ length: 150 }, (_, at) =>
      send(routes[at % routes.length] ?? { path: '/login' }, attacker),
    )
    const flood = await Promise.all([...guesses, ...junk])
    const policies = flood.map((answer) => answer.header('ratelimit-policy'))
    expect(policies).toContain('"account";q=60;w=60')
    expect(policies).toContain('"address";q=120;w=60')
    for (const route of routes) {
      const { status } = await send(route, owner)
      expect([route.path, status]).not.toEqual([route.path, 429])
    }
    const again = await login(email, secret, { 'x-forwarded-for': owner, cookie: device, ...own })
    expect(again.status).toBe(200)
  })

  test('from many places gets no more guesses than from one, and the owner is let in by a known device', async () => {
    const email = 'grace@acme.example'
    await givePassword(await aPerson(records, acme, { email }), secret)
    const device = deviceOf(await login(email, secret, { 'x-forwarded-for': '198.51.104.1' }))
    const guesses = await Promise.all(
      Array.from({ length: 70 }, (_, at) =>
        login(email, 'nine purple lanterns adrift', { 'x-forwarded-for': `198.51.103.${at}` }),
      ),
    )
    const codes = guesses.map(({ body }) => codeOf(body))
    expect(codes.filter((code) => code === 'sign_in_failed')).toHaveLength(5)
    expect(codes.filter((code) => code === 'account_locked')).toHaveLength(65)
    const known = { 'x-forwarded-for': '198.51.104.2', cookie: device, ...own }
    expect((await login(email, secret, known)).status).toBe(200)
  })

  test('has no account’s limit where nobody says who asks, as everybody would share it', async () => {
    const answers = await Promise.all(
      Array.from({ length: 64 }, () => askForLink('eva@acme.example', '')),
    )
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(64)
  })

  test('does not take away from those who are', async () => {
    const headers = { cookie, 'x-forwarded-for': '198.51.100.1' }
    expect(
      await statusOf(
        '/api/auth/sessions/revoke-all',
        { ...headers, ...own, ...json },
        'POST',
        '{}',
      ),
    ).toBe(400)
  })
})

describe('whoever is signed in (ASVS 2.4.1)', () => {
  const arrive = async (email: string) => {
    const person = await aPerson(records, acme, { email })
    const [replica] = await openReplicas(database, records, 1)
    const { session } = await signIn(replica, person, 'browser')
    await replica.close()
    const mine = { ...own, cookie: `__Host-cardea_session=${session.cookie}` }
    await eventually(() => statusOf('/api/auth/me', mine)).toBe(200)
    return mine
  }
  const rename = (who: Headers, n: number) =>
    through(
      '/api/auth/me',
      { ...json, ...who, 'x-forwarded-for': `198.51.105.${n}` },
      'PATCH',
      '{"name":"Ada"}',
    )

  test('makes sixty changes a minute, from wherever, and looks at as much as they like', async () => {
    const who = await arrive('busy@acme.example')
    const answers = await Promise.all(Array.from({ length: 70 }, (_, n) => rename(who, n)))
    const limited = answers.filter(({ status }) => status === 429)
    expect(limited).toHaveLength(10)
    const [answer] = limited
    expect(codeOf(answer?.body ?? '')).toBe('too_many_requests')
    expect(answer?.header('ratelimit-policy')).toBe('"person";q=60;w=60')
    expect(Number(answer?.header('retry-after'))).toBeGreaterThan(0)
    expect(await statusOf('/api/auth/me', who)).toBe(200)
    const other = await arrive('calm@acme.example')
    expect((await rename(other, 1)).status).toBe(200)
  })

  test('changes the password ten times a minute, by the API and by the page', async () => {
    const who = await arrive('eager@acme.example')
    const change = (n: number) =>
      n % 2 === 0
        ? through(
            '/api/auth/password',
            { ...json, ...who },
            'POST',
            JSON.stringify({ current: 'x', password: 'seven purple lanterns adrift' }),
          )
        : through('/account/password', { ...form, ...who }, 'POST', 'current=x&password=y')
    const limited: boolean[] = []
    for (let n = 0; n < 14; n++) {
      const { status, body, header } = await change(n)
      limited.push(status === 429 && body.includes('too_many_requests'))
      expect(header('ratelimit-policy')).toBe('"password";q=10;w=60')
    }
    expect(limited).toEqual(Array.from({ length: 14 }, (_, n) => n >= 10))
    expect((await rename(who, 1)).status).toBe(200)
  })
})

describe('looking changes nothing (ASVS 3.5.3)', () => {
  const state = async () =>
    Promise.all(
      [
        'users',
        'passwords',
        'invitations',
        'role_bindings',
        'one_time_tokens',
        'refresh_tokens',
      ].map(
        async (table) =>
          (await records.client.query(`select * from cardea.${table} order by id`)).rows,
      ),
    )
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
