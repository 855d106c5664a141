import { randomBytes, randomUUID } from 'node:crypto'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { insertOneTimeToken, type TokenPurpose } from '../../src/db/onetimetoken.ts'
import { writeInOrganization } from '../../src/db/transaction.ts'
import { digestToken, mintToken } from '../../src/domain/onetimetoken.ts'
import { ask } from '../support/ask.ts'
import { peoplesSettings, type RunningAuth, startAuth } from '../support/authservice.ts'
import {
  bodyOf,
  type DescribedRoute,
  describedRoutes,
  textPlaces,
  withText,
} from '../support/openapiroutes.ts'
import { aPerson, openReplicas, type PeopleReplica, signIn } from '../support/peopleservices.ts'
import { testDatabase } from '../support/postgres.ts'
import { type ApiKeyRecord, Records } from '../support/records.ts'

/**
 * Somebody of the organization b, an owner, asks each route for each thing of the organization a. The answer must be the one
 * that something gets which is nowhere.
 */

const database = await testDatabase()
const records = await Records.open(database.superuserUrl)
let auth: RunningAuth
let replica: PeopleReplica
let routes: readonly DescribedRoute[]
let a: string
let b: string
let owner: Awaited<ReturnType<typeof aPerson>>
let key: ApiKeyRecord

/** What of a is named, beside something of the same shape that is nowhere. */
const things: Record<string, { readonly foreign: string; readonly absent: string }> = {}
/** What somebody of b would say to each route, by the names of its fields. */
const own: Record<string, string> = {
  token: mintToken('co', randomUUID(), randomBytes(32)),
  refresh_token: mintToken('cr', randomUUID(), randomBytes(32)),
  token_type_hint: 'access_token',
  challenge: mintToken('co', randomUUID(), randomBytes(32)),
  code: '123456',
  current: 'not the current password',
  password: 'correct horse battery staple',
  displayName: 'Somebody else',
  name: 'Bea',
  role: 'viewer',
  organization: 'b',
  project: 'b-project',
  provider: 'nowhere',
}

beforeAll(async () => {
  ;[a, b] = [await records.organization('a-organization'), await records.organization('b')]
  await records.project(b, 'b-project')
  ;[replica] = await openReplicas(database, records, 1)
  owner = await aPerson(records, b, { email: 'bea@b.example', roles: ['owner'] })
  key = await records.apiKey(b, { scopes: ['cardea:introspect', 'provider-credentials:resolve'] })
  await fill()
  auth = await startAuth(database.authUrl, await peoplesSettings())
  routes = await describedRoutes(auth.url)
})
afterAll(async () => {
  await Promise.all([auth.stop(), replica.stop()])
  await records.close()
  await database.drop()
})

/** Gives a one thing of each sort. */
async function fill(): Promise<void> {
  const id = (foreign: string) => ({ foreign, absent: neighbourOf(foreign) })
  const project = await records.project(a, 'a-project')
  const role = await records.role(a, 'a-role', ['things:read'])
  const person = await aPerson(records, a, { email: 'ada@a.example', roles: ['owner'] })
  const browser = await signIn(replica, person, 'browser')
  const token = await signIn(replica, person, 'token')
  const apiKey = await records.apiKey(a, { name: 'a-key' })
  const [invitation] = await rows<{ id: string }>(
    `insert into cardea.invitations (organization_id, email, role, expires_at)
     values ($1, 'invited@a.example', 'viewer', now() + interval '1 day') returning id`,
    a,
  )
  const invited = invitation?.id ?? ''
  await records.client.query(
    `insert into cardea.passwords (organization_id, user_id, hash)
     values ($1, $2, '$argon2id$v=19$m=19456,t=2,p=1$' || repeat('A', 22) || '$' || repeat('A', 43))`,
    [a, person.userId],
  )
  Object.assign(things, {
    organization: id(a),
    user: id(person.userId),
    session: id(browser.session.sessionId),
    tokenSession: id(token.session.sessionId),
    project: id(project),
    role: id(role),
    invitation: id(invited),
    apiKey: id(apiKey.id),
    secret: id(apiKey.secretId),
    organizationName: { foreign: 'a-organization', absent: 'x-organization' },
    projectName: { foreign: 'a-project', absent: 'x-project' },
    roleName: { foreign: 'a-role', absent: 'x-role' },
    apiKeyName: { foreign: 'a-key', absent: 'x-key' },
    email: { foreign: 'ada@a.example', absent: 'eve@a.example' },
    invitedEmail: { foreign: 'invited@a.example', absent: 'noone@a.example' },
    // Whoever has a token that is good has what it is for: these were good once.
    invitationToken: await spentToken('invitation', invited),
    resetToken: await spentToken('password_reset', person.userId),
    cookie: { foreign: browser.session.cookie, absent: `${browser.session.cookie.slice(0, -1)}_` },
  })
}

async function spentToken(purpose: TokenPurpose, subjectId: string) {
  const foreign = mintToken('co', a, randomBytes(32))
  await writeInOrganization(replica.pool, { organizationId: a, actor: 'test' }, (tx) => {
    const digest = digestToken(foreign)
    return insertOneTimeToken(tx, { organizationId: a, purpose, subjectId, digest, lifetime: 60 })
  })
  const digest = digestToken(foreign)
  await records.client.query(
    'update cardea.one_time_tokens set used_at = now() where digest = $1',
    [digest],
  )
  return { foreign, absent: mintToken('co', a, randomBytes(32)) }
}

async function rows<Row extends object>(text: string, ...values: unknown[]) {
  return (await records.client.query<Row>(text, values)).rows
}

/** The id beside another one: whatever sorts by ids has both in the same place. */
function neighbourOf(id: string): string {
  const last = Number.parseInt(id.slice(-1), 16)
  return `${id.slice(0, -1)}${(last ^ 1).toString(16)}`
}

let clients = 0

/** Sends one request as somebody of b, in a session of its own, from an address of its own. */
async function send(route: DescribedRoute, path: string, body: unknown) {
  const headers: [string, string][] = [
    ['x-forwarded-for', `198.18.${(++clients >> 8) & 255}.${clients & 255}`],
    ['origin', auth.url],
  ]
  // What the one before got wrong must not tell in this one.
  await records.client.query('delete from cardea.sign_in_failures where organization_id = $1', [b])
  if (route.by === 'person') {
    const { session } = await signIn(replica, owner, 'browser')
    headers.push(['cookie', `__Host-cardea_session=${session.cookie}`])
  }
  if (route.by === 'program') headers.push(['x-api-key', key.text])
  if (route.media !== undefined) headers.push(['content-type', route.media])
  const { status, body: answer } = await ask(`${auth.url}${path}`, {
    method: route.method,
    headers,
    ...(route.media !== undefined && { body: written(route.media, body) }),
  })
  return { status, answer }
}

function written(media: string, body: unknown): string {
  if (media === 'application/json') return JSON.stringify(body)
  return new URLSearchParams(body as Record<string, string>).toString()
}

/** An answer without what each answer has anew, and without what was sent. */
function comparable({ status, answer }: { status: number; answer: string }, sent: string) {
  const said = answer
    .replaceAll(sent, '«sent»')
    .replaceAll(/"(requestId|challenge)":"[^"]*"/g, '"$1":""')
    .replaceAll(/"[0-9a-f]{8}-[0-9a-f-]{27}"/g, '"«id»"')
    .replaceAll(/"\d{4}-\d\d-\d\dT[^"]*"/g, '"«time»"')
  return { status, said }
}

/** Whoever wants a name for an organization must be told that it is taken. */
const exempt = new Set(['POST /api/auth/register organization organizationName'])

function pathOf(route: DescribedRoute, id: string): string {
  return route.path.replaceAll(/\{[a-z]+\}/g, encodeURIComponent(id))
}

/** Each place of a route where something can be named. */
function placesOf(route: DescribedRoute) {
  const body = (email: string) =>
    route.schema ? bodyOf(route.schema, { ...own, email }) : undefined
  const fresh = () => `somebody-${randomUUID()}@b.example`
  return [
    ...route.pathParameters.map((name) => ({
      name,
      request: (text: string) => [pathOf(route, text), body(fresh())] as const,
    })),
    ...route.queryParameters.map((name) => ({
      name,
      request: (text: string) =>
        [
          `${pathOf(route, randomUUID())}?${name}=${encodeURIComponent(text)}`,
          body(fresh()),
        ] as const,
    })),
    ...(route.schema ? textPlaces(route.schema) : []).map(({ at, name }) => ({
      name,
      request: (text: string) =>
        [pathOf(route, owner.userId), withText(body(fresh()), at, text)] as const,
    })),
  ]
}

/** What people have in a; failed sign-ins and mails aside, which somebody who is not signed in may cause. */
async function stateOf(organization: string): Promise<readonly unknown[]> {
  const tables = [
    'users',
    'passwords',
    'devices',
    'sessions',
    'refresh_tokens',
    'invitations',
    'role_bindings',
    'roles',
    'projects',
    'api_keys',
  ]
  const all: object[][] = []
  for (const table of tables) {
    const text = `select * from cardea.${table} where organization_id = $1 order by id`
    all.push(await rows(text, organization))
  }
  return all
}

describe('nothing of another organization', () => {
  test('is in any list', async () => {
    for (const route of routes.filter(({ method, by }) => method === 'GET' && by === 'person')) {
      const { status, answer } = await send(route, pathOf(route, randomUUID()), undefined)
      expect([200, 404], route.path).toContain(status)
      for (const [thing, { foreign }] of Object.entries(things)) {
        expect(answer, `${route.path}: ${thing}`).not.toContain(foreign)
      }
    }
  })

  test('is answered, changed or told from what is nowhere, on any route, in any place', async () => {
    const before = await stateOf(a)
    expect(routes.length).toBeGreaterThan(25)
    let compared = 0
    for (const route of routes.filter(({ path }) => !path.startsWith('/check'))) {
      for (const { name, request } of placesOf(route)) {
        for (const [thing, { foreign, absent }] of Object.entries(things)) {
          if (exempt.has(`${route.method} ${route.path} ${name} ${thing}`)) continue
          const label = `${route.method} ${route.path}: ${thing} as ${name}`
          const [theirs, nobodys] = [
            comparable(await send(route, ...request(foreign)), foreign),
            comparable(await send(route, ...request(absent)), absent),
          ]
          expect(theirs, label).toEqual(nobodys)
          for (const other of Object.values(things)) {
            if (other.foreign.length > 30) expect(theirs.said, label).not.toContain(other.foreign)
          }
          compared++
        }
      }
    }
    expect(compared).toBeGreaterThan(500)
    expect(await stateOf(a)).toEqual(before)
  }, 300_000)

  test.each(['project', 'permission', 'scope'])('is known to the check: ?%s=', async (question) => {
    const { session } = await signIn(replica, owner, 'browser')
    const checked = async (text: string) => {
      const answer = await ask(`${auth.url}/check?${question}=${encodeURIComponent(text)}`, {
        headers: [['cookie', `__Host-cardea_session=${session.cookie}`]],
      })
      return comparable({ status: answer.status, answer: answer.body }, text)
    }
    for (const [thing, { foreign, absent }] of Object.entries(things)) {
      expect(await checked(foreign), thing).toEqual(await checked(absent))
    }
  })

  test('is seen the other way round either', async () => {
    const cookie = `__Host-cardea_session=${things['cookie']?.foreign}`
    const { body } = await ask(`${auth.url}/api/auth/me`, { headers: [['cookie', cookie]] })
    expect(JSON.parse(body)).toMatchObject({ organization: 'a-organization' })
    const members = await ask(`${auth.url}/api/members`, { headers: [['cookie', cookie]] })
    expect(members.body).not.toContain('bea@b.example')
  })
})

describe('raw SQL as the auth service, without a tenant', () => {
  /** Where the service itself writes when people come and go. */
  const peoples = [
    'users',
    'passwords',
    'sessions',
    'refresh_tokens',
    'invitations',
    'registrations',
    'one_time_tokens',
    'sign_in_failures',
    'mails',
    'role_bindings',
    'audit_events',
  ]

  test('reads no row of any table or view', async () => {
    const relations = await rows<{ name: string }>(
      `select relname as name from pg_class where relnamespace = 'cardea'::regnamespace and relkind in ('r', 'v', 'm', 'p')
       and (relrowsecurity or relkind <> 'r')`,
    )
    const names = relations.map(({ name }) => name)
    expect(names).toEqual(expect.arrayContaining([...peoples, 'live_sessions']))
    const client = new Client({ connectionString: database.authUrl })
    await client.connect()
    for (const name of names) {
      const seen = await client.query(`select * from cardea.${name}`).then(
        ({ rowCount }) => rowCount,
        (error: Error) => error.message,
      )
      expect(
        [0, `permission denied for table ${name}`, `permission denied for view ${name}`],
        name,
      ).toContain(seen)
    }
    await client.end()
  })

  test.each(peoples)('while there is something to be read in %s', async (table) => {
    const [count] = await rows<{ n: string }>(`select count(*) as n from cardea.${table}`)
    expect(Number(count?.n)).toBeGreaterThan(0)
  })

  test('gets from the functions what a decision needs, and nothing else of a person', async () => {
    const columns = await rows<{ name: string; columns: string[] }>(
      `select p.proname as name, array_agg(c.name order by c.name) as columns
       from pg_proc p
       cross join lateral (
         select unnest(p.proargnames[p.pronargs + 1:]) as name where p.proretset and p.prorettype = 'record'::regtype
         union all
         select a.attname from pg_type t join pg_attribute a on a.attrelid = t.typrelid and a.attnum > 0
         where t.oid = p.prorettype and t.typtype = 'c'
       ) c
       where p.pronamespace = 'cardea'::regnamespace and has_function_privilege('cardea_auth', p.oid, 'execute')
       group by p.proname order by p.proname`,
    )
    const session = [
      'active',
      'authenticated_at',
      'created_at',
      'digest',
      'email',
      'expires_at',
      'groups',
      'id',
      'idle_timeout',
      'kind',
      'last_seen_at',
      'methods',
      'organization_id',
      'sessions_revoked_before',
      'user_id',
    ]
    const ofPeople = Object.fromEntries(
      columns
        .filter(({ name }) => /session|user|token|mail|people/.test(name))
        .map(({ name, columns: each }) => [name, each]),
    )
    expect(ofPeople).toEqual({
      claim_mails: ['id', 'organization_id'],
      find_sessions_by_digest: session,
      index_revoked_access_tokens: ['expires_at', 'jti', 'organization_id'],
      index_sessions: session,
      index_sessions_page: session,
      index_users: [
        'active',
        'email',
        'groups',
        'id',
        'organization_id',
        'sessions_revoked_before',
      ],
      mail_backlog: ['oldest', 'queued'],
      // For the audit event of a session that comes from somewhere else than before.
      session_places: ['address', 'device_name', 'id', 'kind', 'organization_id'],
    })
    const names = columns.flatMap(({ columns: each }) => each)
    for (const secret of ['hash', 'password_hash', 'user_agent', 'recipient', 'arguments']) {
      expect(names).not.toContain(secret)
    }
  })
})
