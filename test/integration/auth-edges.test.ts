import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ask } from '../support/ask.ts'
import { peoplesSettings, type RunningAuth, startAuth } from '../support/authservice.ts'
import { testDatabase } from '../support/postgres.ts'
import { sendRaw } from '../support/rawhttp.ts'

const database = await testDatabase()
/** As from behind a proxy that speaks TLS. */
let remote: RunningAuth
/** As on one's own machine. */
let local: RunningAuth

beforeAll(async () => {
  const hosts = { CARDEA_ORGANIZATION_HOSTS: '.id.example.com' }
  remote = await startAuth(database.authUrl, {
    CARDEA_PUBLIC_URL: 'https://id.example.com',
    ...hosts,
  })
  local = await startAuth(database.authUrl, await peoplesSettings())
})
afterAll(async () => {
  await Promise.all([remote.stop(), local.stop()])
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
