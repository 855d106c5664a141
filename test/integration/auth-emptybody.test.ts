import { afterAll, beforeAll, expect, test } from 'vitest'
import { type RunningAuth, startAuth } from '../support/authservice.ts'
import { type DescribedRoute, describedRoutes } from '../support/openapiroutes.ts'
import { aPerson, openReplicas, type PeopleReplica, signIn } from '../support/peopleservices.ts'
import { testDatabase } from '../support/postgres.ts'
import { sendRaw } from '../support/rawhttp.ts'
import { Records } from '../support/records.ts'

const database = await testDatabase()
const records = await Records.open(database.superuserUrl)
let organization: string
let key: string
let replica: PeopleReplica
let auth: RunningAuth
let routes: readonly DescribedRoute[]

beforeAll(async () => {
  organization = await records.organization('acme')
  const scopes = ['cardea:introspect', 'provider-credentials:resolve']
  key = (await records.apiKey(organization, { scopes })).text
  ;[replica] = await openReplicas(database, records, 1)
  auth = await startAuth(database.authUrl, { CARDEA_PUBLIC_URL: 'https://id.example.com' })
  routes = (await describedRoutes(auth.url)).filter(({ method }) => method !== 'GET')
})
afterAll(async () => {
  await Promise.all([auth.stop(), replica.close()])
  await records.close()
  await database.drop()
})

let hosts = 0

/** The head of a request, as from an address of its own. */
function head(line: string, headers: readonly string[]): string {
  const proxied = [
    'Host: id.example.com',
    'X-Forwarded-Proto: https',
    `X-Forwarded-For: ${address()}`,
  ]
  return `${[`${line} HTTP/1.1`, ...proxied, ...headers].join('\r\n')}\r\n\r\n`
}

const address = () => `198.51.${100 + Math.floor(++hosts / 250)}.${hosts % 250}`

/** Sends a request, and another one behind it on the same connection. @returns the status of both */
async function statuses(request: string): Promise<readonly number[]> {
  const next = head('GET /openapi.json', ['Connection: close'])
  const started = performance.now()
  const { status, body } = await sendRaw(auth.url, request + next)
  expect(performance.now() - started, request).toBeLessThan(2000)
  const second = /HTTP\/1\.1 (?<status>\d{3}) /.exec(body)
  return [status, Number(second?.groups?.['status'])]
}

async function credentialOf({ by }: DescribedRoute): Promise<readonly string[]> {
  if (by === 'anybody') return []
  if (by === 'program') return [`X-API-Key: ${key}`]
  const { session } = await signIn(replica, await aPerson(records, organization), 'browser')
  return [`Cookie: __Host-cardea_session=${session.cookie}`, 'Origin: https://id.example.com']
}

const medias = ['application/json', 'application/x-www-form-urlencoded', 'text/plain', 'nonsense']
const lengths = [[], ['Content-Length: 0']]

test('a media type without a body is answered at once, on every route, and the connection goes on', async () => {
  expect(routes.length).toBeGreaterThan(15)
  for (const route of routes) {
    const path = route.path.replaceAll(/\{[a-z]+\}/g, organization)
    for (const media of medias) {
      for (const length of lengths) {
        const credential = await credentialOf(route)
        const headers = [`Content-Type: ${media}`, ...length, ...credential]
        const request = head(`${route.method} ${path}`, headers)
        const [status, next] = await statuses(request)
        expect([next, request]).toEqual([200, request])
        const own = media === route.media || route.media === undefined
        const expected = route.media !== undefined ? [400] : [200, 204, 403, 404]
        if (own) expect(expected, `${status} of ${request}`).toContain(status)
        else expect([400, 403, 415], `${status} of ${request}`).toContain(status)
      }
    }
  }
})

test.each(['/login', '/login/password', '/register', '/forgot', '/reset', '/nowhere', '/logout'])(
  'so it is on a page: %s',
  async (path) => {
    for (const length of lengths) {
      const form = ['Content-Type: application/x-www-form-urlencoded', ...length]
      const own = ['Origin: https://id.example.com', 'Sec-Fetch-Site: same-origin']
      const [status, next] = await statuses(head(`POST ${path}`, [...form, ...own]))
      expect(status).toBeGreaterThanOrEqual(300)
      expect(status).toBeLessThan(500)
      expect(next).toBe(200)
    }
  },
)

test('whoever needs no body may name a media type all the same', async () => {
  const logout = await credentialOf({ by: 'person' } as DescribedRoute)
  const json = 'Content-Type: application/json'
  expect(await statuses(head('POST /api/auth/logout', [json, ...logout]))).toEqual([204, 200])
})

test.each(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'GET', 'TRACE', 'QUERY', 'PROPFIND'])(
  'so it is with %s, where there is no such route',
  async (method) => {
    for (const path of ['/api/auth/login', '/nothing', '/']) {
      const [status, next] = await statuses(
        head(`${method} ${path}`, ['Content-Type: application/json']),
      )
      expect(status).toBeGreaterThanOrEqual(200)
      expect(next).toBe(200)
    }
  },
)

test('a body in chunks that is empty is one that cannot be read', async () => {
  const chunked = ['Content-Type: application/json', 'Transfer-Encoding: chunked']
  const request = `${head('POST /api/auth/login', chunked)}0\r\n\r\n`
  const [status] = await statuses(request)
  expect(status).toBe(400)
})
