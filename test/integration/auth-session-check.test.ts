import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { sessionCookie } from '../../src/domain/session.ts'
import { ask } from '../support/ask.ts'
import {
  eventually,
  type RunningAuth,
  startAuth,
  startAuthForTest,
} from '../support/authservice.ts'
import {
  aSession,
  aSigningKey,
  aTokenSession,
  aUser,
  claimsOf,
  endSession,
  revokeToken,
  type SessionRecord,
  type TestSigningKey,
  type UserRecord,
} from '../support/peoplerecords.ts'
import { testDatabase } from '../support/postgres.ts'
import { Records } from '../support/records.ts'
import { TcpProxy } from '../support/tcpproxy.ts'

const publicUrl = 'https://id.example.com'
const settings = { CARDEA_PUBLIC_URL: publicUrl }
const database = await testDatabase()
const records = await Records.open(database.superuserUrl)
let organization: string
let auth: RunningAuth
let signing: TestSigningKey
let user: UserRecord
let session: SessionRecord

beforeAll(async () => {
  signing = await aSigningKey(records)
  auth = await startAuth(database.authUrl, settings)
})
beforeEach(async () => {
  organization = await records.organization()
  user = await aUser(records, organization)
  session = await aSession(records, user)
})
afterAll(async () => {
  await auth.stop()
  await records.close()
  await database.drop()
})

type Headers = readonly (readonly [string, string])[]

const cookie = ({ text }: Pick<SessionRecord, 'text'>): Headers => [
  ['cookie', `theme=dark; ${sessionCookie}=${text}; other=1`],
]
const bearer = (token: string): Headers => [['authorization', `Bearer ${token}`]]

async function check(headers: Headers, search = '', url = auth.url) {
  const answer = await ask(`${url}/check${search}`, { headers })
  return { status: answer.status, code: answer.json['code'] as string | undefined, answer }
}
const statusOf = async (headers: Headers, search = '', url = auth.url) =>
  (await check(headers, search, url)).status
const psql = (text: string, values: unknown[] = []) => records.client.query(text, values)

/** Waits until the feed has brought whatever was written before. */
async function untilIndexed(): Promise<void> {
  const last = await aSession(records, user)
  await eventually(async () => {
    const before = await auth.metric('cardea_read_through_total')
    await statusOf(cookie(last))
    return (await auth.metric('cardea_read_through_total')) - before
  }).toBe(0)
}

describe('a session cookie', () => {
  test('tells who is there, in headers and in the body', async () => {
    await psql(
      `insert into cardea.role_bindings (organization_id, name, role, subjects, managed_by) values ($1, 'b', 'viewer', $2, 'api')`,
      [organization, JSON.stringify([{ kind: 'User', name: user.email.toUpperCase() }])],
    )
    const project = await records.project(organization, 'scanner')
    expect(project).toBeDefined()
    await eventually(() => statusOf(cookie(session), '?project=scanner')).toBe(200)
    // That may have been PostgreSQL's answer, while the index has the session by now and not the project.
    await untilIndexed()
    const { answer } = await check(cookie(session), '?project=scanner&permission=projects:read')
    expect(answer.json).toEqual({
      organization: expect.stringMatching(/^organization-/),
      project: 'scanner',
      subject: user.email,
      subjectKind: 'User',
      subjectId: user.id,
      roles: ['viewer'],
      scopes: [],
      credentialId: session.id,
    })
    const named = Object.fromEntries(
      ['subject', 'subject-kind', 'subject-id', 'roles', 'scopes', 'credential-id'].map((name) => [
        name,
        answer.all(`x-cardea-${name}`),
      ]),
    )
    expect(named).toEqual({
      subject: [user.email],
      'subject-kind': ['User'],
      'subject-id': [user.id],
      roles: ['viewer'],
      scopes: [''],
      'credential-id': [session.id],
    })
  })

  test('works at once, before the index has it', async () => {
    for (let round = 0; round < 10; round++) {
      expect(await statusOf(cookie(await aSession(records, user)))).toBe(200)
    }
  })

  test('is no credential when it is there twice, in one header or in two', async () => {
    const [[, value] = ['', '']] = cookie(session)
    for (const headers of [
      [['cookie', `${value}; ${value}`]],
      [
        ['cookie', value],
        ['Cookie', value],
      ],
    ] as const) {
      expect(await check(headers as Headers)).toMatchObject({ code: 'credential_invalid' })
    }
  })

  test('is not taken from where API keys come, nor is a key taken from it', async () => {
    const key = await records.apiKey(organization)
    await eventually(() => statusOf([['x-api-key', key.text]])).toBe(200)
    expect(await statusOf([['x-api-key', session.text]])).toBe(401)
    expect(await statusOf(bearer(session.text))).toBe(401)
    expect(await statusOf(cookie({ text: key.text }))).toBe(401)
    expect(await statusOf(cookie(session))).toBe(200)
  })

  test('does not mend a wrong credential in a header, and is not asked about beside a right one', async () => {
    const key = await records.apiKey(organization, { name: 'beside' })
    await eventually(() => statusOf([['x-api-key', key.text]])).toBe(200)
    for (const [name, value] of [
      ['x-api-key', `${key.text.slice(0, -1)}!`],
      ['authorization', 'Bearer nonsense-of-another-party'],
    ] as const) {
      expect(await statusOf([...cookie(session), [name, value]])).toBe(401)
    }
    const { answer } = await check([...cookie(session), ['x-api-key', key.text]])
    expect(answer.all('x-cardea-subject')).toEqual(['beside'])
    const basic = await check([...cookie(session), ['authorization', 'Basic eDp5']])
    expect(basic.answer.all('x-cardea-subject')).toEqual([user.email])
  })

  test.each<[string, Headers, number]>([
    ['none', [], 200],
    ['our own', [['origin', publicUrl]], 200],
    ['one of the organization', [['origin', 'https://app.acme.example']], 200],
    ['another', [['origin', 'https://evil.example']], 403],
    ['one that begins alike', [['origin', `${publicUrl}.evil.example`]], 403],
    ['ours without TLS', [['origin', 'http://id.example.com']], 403],
    ['one that is hidden', [['origin', 'null']], 403],
    [
      'one that is hidden from its own page',
      [
        ['origin', 'null'],
        ['sec-fetch-site', 'same-origin'],
      ],
      200,
    ],
    [
      'one whose browser says two things',
      [
        ['origin', 'null'],
        ['sec-fetch-site', 'same-origin'],
        ['sec-fetch-site', 'cross-site'],
      ],
      403,
    ],
  ])('from a page of an origin like %s', async (_, more, status) => {
    await psql(
      `update cardea.organizations set settings = '{"origins": ["https://app.acme.example"]}' where id = $1`,
      [organization],
    )
    await eventually(() =>
      statusOf([...cookie(session), ['origin', 'https://app.acme.example']]),
    ).toBe(200)
    const { status: answered, code } = await check([...cookie(session), ...more])
    expect(answered).toBe(status)
    if (status === 403) expect(code).toBe('origin_not_allowed')
  })
})

describe('an access token', () => {
  test('is as good as the session that it is of, with the roles of now', async () => {
    const of = await aTokenSession(records, user)
    const claims = claimsOf(publicUrl, of)
    const token = signing.token(claims)
    const { answer, status } = await check(bearer(token))
    expect(status).toBe(200)
    expect(answer.json).toMatchObject({
      subject: user.email,
      subjectKind: 'User',
      subjectId: user.id,
      credentialId: of.id,
      roles: [],
    })
    await endSession(records, of)
    await eventually(() => statusOf(bearer(token))).toBe(401)
  })

  test('signed by ES256 is good too, and a new key is found at its first token', async () => {
    const other = await aSigningKey(records, 'ES256')
    const of = await aTokenSession(records, user)
    // Once a second is enough for whoever makes up key ids.
    await eventually(() => statusOf(bearer(other.token(claimsOf(publicUrl, of))))).toBe(200)
  })

  test('that was revoked is over, and others of its session are not', async () => {
    const of = await aTokenSession(records, user)
    const claims = claimsOf(publicUrl, of)
    const [token, other] = [signing.token(claims), signing.token(claimsOf(publicUrl, of))]
    expect([await statusOf(bearer(token)), await statusOf(bearer(other))]).toEqual([200, 200])
    await revokeToken(records, organization, claims.jti)
    await eventually(() => statusOf(bearer(token))).toBe(401)
    expect(await statusOf(bearer(other))).toBe(200)
  })

  test('of which another organization revoked the id is untouched', async () => {
    const of = await aTokenSession(records, user)
    const claims = claimsOf(publicUrl, of)
    const mine = claimsOf(publicUrl, of)
    await revokeToken(records, await records.organization(), claims.jti)
    await revokeToken(records, organization, mine.jti)
    await eventually(() => statusOf(bearer(signing.token(mine)))).toBe(401)
    expect(await statusOf(bearer(signing.token(claims)))).toBe(200)
  })

  test('needs no origin, for no browser sends it by itself', async () => {
    const of = await aTokenSession(records, user)
    const headers: Headers = [
      ...bearer(signing.token(claimsOf(publicUrl, of))),
      ['origin', 'https://elsewhere.example'],
    ]
    expect(await statusOf(headers)).toBe(200)
  })

  test('ends to the second', async () => {
    const of = await aTokenSession(records, user)
    const exp = Math.floor(Date.now() / 1000) + 2
    const token = signing.token(claimsOf(publicUrl, of, { exp }))
    expect(await statusOf(bearer(token))).toBe(200)
    await sleep(exp * 1000 - Date.now())
    expect(await statusOf(bearer(token))).toBe(401)
  })
})

describe('the roles of a person', () => {
  // Until the feed brings the session, PostgreSQL says what its roles are, which may be more than the feed has brought.
  beforeEach(() => untilIndexed())
  const bind = async (role: string, subject: object, project?: string) => {
    const { rows } = await psql(
      `insert into cardea.role_bindings (organization_id, name, role, project_id, subjects, managed_by)
        values ($1, gen_random_uuid()::text, $2, $3, $4, 'api') returning id`,
      [organization, role, project ?? null, JSON.stringify([subject])],
    )
    return (rows[0] as { id: string }).id
  }
  const rolesOf = async (search = '') =>
    (await check(cookie(session), search)).answer.all('x-cardea-roles')[0]

  test('come from bindings by address and by group, and from the owners of the organization', async () => {
    await psql('update cardea.users set groups = $2 where id = $1', [user.id, ['platform']])
    await bind('viewer', { kind: 'User', name: user.email })
    await bind('auditor', { kind: 'Group', name: 'platform' })
    await bind('admin', { kind: 'Group', name: 'others' })
    await bind('developer', { kind: 'APIKey', name: user.email })
    await eventually(() => rolesOf()).toBe('auditor,viewer')
    await psql('update cardea.organizations set owners = $2 where id = $1', [
      organization,
      [user.email],
    ])
    await eventually(() => rolesOf()).toBe('auditor,owner,viewer')
    await psql(`update cardea.users set groups = '{}' where id = $1`, [user.id])
    await eventually(() => rolesOf()).toBe('owner,viewer')
  })

  test('answer what is asked as a permission, and as a scope', async () => {
    await bind('viewer', { kind: 'User', name: user.email })
    await eventually(() => rolesOf()).toBe('viewer')
    expect(await statusOf(cookie(session), '?permission=members:read')).toBe(200)
    expect(await statusOf(cookie(session), '?scope=members:read+usage:read')).toBe(200)
    expect(await check(cookie(session), '?permission=members:write')).toMatchObject({
      code: 'permission_denied',
    })
    expect(await check(cookie(session), '?scope=members:read+members:write')).toMatchObject({
      code: 'insufficient_scope',
    })
  })

  test('say which projects are theirs', async () => {
    const scanner = await records.project(organization, 'scanner')
    await records.project(organization, 'billing')
    await bind('developer', { kind: 'User', name: user.email }, scanner)
    await eventually(() => rolesOf('?project=scanner')).toBe('developer')
    expect(await rolesOf()).toBe('')
    for (const project of ['billing', 'nowhere']) {
      expect(await check(cookie(session), `?project=${project}`)).toMatchObject({
        code: 'project_not_allowed',
      })
    }
  })

  test('are gone with the binding, for cookies and for tokens', async () => {
    const token = bearer(signing.token(claimsOf(publicUrl, await aTokenSession(records, user))))
    const id = await bind('viewer', { kind: 'User', name: user.email })
    const question = '?permission=members:read'
    await eventually(() => statusOf(cookie(session), question)).toBe(200)
    await eventually(() => statusOf(token, question)).toBe(200)
    await psql('delete from cardea.role_bindings where id = $1', [id])
    await eventually(() => statusOf(cookie(session), question)).toBe(403)
    expect(await statusOf(token, question)).toBe(403)
  })
})

describe('a session is over', () => {
  test.each<[string, () => Promise<unknown>]>([
    ['it is ended', () => endSession(records, session)],
    [
      'the person is suspended',
      () => psql('update cardea.users set suspended_at = now() where id = $1', [user.id]),
    ],
    ['the person is gone', () => psql('delete from cardea.users where id = $1', [user.id])],
    [
      'all of the person’s sessions are ended',
      () =>
        psql('update cardea.users set sessions_revoked_before = now() where id = $1', [user.id]),
    ],
    [
      'all of the organization’s are',
      () =>
        psql('update cardea.organizations set sessions_revoked_before = now() where id = $1', [
          organization,
        ]),
    ],
    [
      'the organization is deleted',
      () =>
        psql('update cardea.organizations set deleted_at = now() where id = $1', [organization]),
    ],
    [
      'it gets another text',
      () => psql('update cardea.sessions set digest = sha256(digest) where id = $1', [session.id]),
    ],
  ])('when %s', async (_, act) => {
    const of = await aTokenSession(records, user)
    const token = signing.token(claimsOf(publicUrl, of))
    expect([await statusOf(cookie(session)), await statusOf(bearer(token))]).toEqual([200, 200])
    await act()
    await eventually(() => statusOf(cookie(session))).toBe(401)
    // What is said of one session is said of no other.
    const ofOne = ['it is ended', 'it gets another text'].includes(_)
    await eventually(() => statusOf(bearer(token))).toBe(ofOne ? 200 : 401)
  })

  test('at its end, to the second', async () => {
    const expiresAt = new Date(Math.ceil(Date.now() / 1000) * 1000 + 1000)
    const short = await aSession(records, user, { expiresAt })
    await eventually(() => statusOf(cookie(short))).toBe(200)
    await sleep(expiresAt.getTime() - Date.now())
    expect(await statusOf(cookie(short))).toBe(401)
  })

  test('but not one that began after all were ended', async () => {
    await psql('update cardea.users set sessions_revoked_before = now() where id = $1', [user.id])
    const later = await aSession(records, user)
    await eventually(() => statusOf(cookie(session))).toBe(401)
    expect(await statusOf(cookie(later))).toBe(200)
  })
})

describe('an idle session', () => {
  const idleTimeout = 600
  const ago = (seconds: number) => new Date(Date.now() - seconds * 1000)
  const idle = () => ago(660)
  /** So near to its end that it is written down at once when it is seen. */
  const nearlyIdle = () => ago(575)
  const secondsSinceSeen = async ({ id }: SessionRecord) => {
    const { rows } = await psql(
      'select extract(epoch from now() - last_seen_at)::int as seconds from cardea.sessions where id = $1',
      [id],
    )
    return (rows[0] as { seconds: number }).seconds
  }

  test('ends, and one that is used does not', async () => {
    const used = await aSession(records, user, { idleTimeout, lastSeenAt: nearlyIdle() })
    const unused = await aSession(records, user, { idleTimeout, lastSeenAt: nearlyIdle() })
    const ended = await aSession(records, user, { idleTimeout, lastSeenAt: idle() })
    expect([await statusOf(cookie(used)), await statusOf(cookie(ended))]).toEqual([200, 401])
    await eventually(() => secondsSinceSeen(used)).toBeLessThan(120)
    // As if five minutes had gone by.
    await psql('update cardea.sessions set idle_timeout = 300 where id = any ($1)', [
      [used.id, unused.id],
    ])
    await untilIndexed()
    expect([await statusOf(cookie(used)), await statusOf(cookie(unused))]).toEqual([200, 401])
  })

  test('lives on while any replica sees it', async () => {
    const other = await startAuthForTest(database.authUrl, settings)
    const shared = await aSession(records, user, { idleTimeout, lastSeenAt: idle() })
    await untilIndexed()
    // No replica is told of it.
    await psql('update cardea.sessions set last_seen_at = $2 where id = $1', [
      shared.id,
      nearlyIdle(),
    ])
    expect(await statusOf(cookie(shared), '', other.url)).toBe(200)
    await eventually(() => secondsSinceSeen(shared)).toBeLessThan(120)
    expect(await statusOf(cookie(shared))).toBe(200)
  })

  test('is asked about once, however often it is tried', async () => {
    const over = await aSession(records, user, { idleTimeout, lastSeenAt: idle() })
    await untilIndexed()
    expect(await statusOf(cookie(over))).toBe(401)
    const before = await auth.metric('cardea_read_through_total')
    for (let round = 0; round < 50; round++) expect(await statusOf(cookie(over))).toBe(401)
    expect((await auth.metric('cardea_read_through_total')) - before).toBeLessThanOrEqual(1)
  })

  test('has written down when it was seen when the service stops', async () => {
    const other = await startAuthForTest(database.authUrl, settings)
    const long = await aSession(records, user, { lastSeenAt: ago(600) })
    expect(await statusOf(cookie(long), '', other.url)).toBe(200)
    await other.stop()
    expect(await secondsSinceSeen(long)).toBeLessThan(120)
  })
})

describe('with PostgreSQL away', () => {
  async function openProxy(): Promise<TcpProxy> {
    const proxy = await TcpProxy.open(database.authUrl)
    onTestFinished(() => proxy.close())
    return proxy
  }

  test('what was good is good for a bounded time, and what is not known is not admitted', async () => {
    const of = await aTokenSession(records, user)
    const proxy = await openProxy()
    const behind = await startAuthForTest(proxy.url, {
      ...settings,
      CARDEA_MAX_STALENESS: '1s',
      CARDEA_MAX_OUTAGE: '5s',
    })
    const token = signing.token(claimsOf(publicUrl, of))
    await eventually(() => statusOf(cookie(session), '', behind.url)).toBe(200)
    await eventually(() => statusOf(bearer(token), '', behind.url)).toBe(200)
    proxy.refuse()
    const made = await aSession(records, user)
    await eventually(() => behind.metric('cardea_index_staleness_seconds')).toBeGreaterThan(1.5)
    expect(await statusOf(cookie(session), '', behind.url)).toBe(200)
    expect(await statusOf(bearer(token), '', behind.url)).toBe(200)
    expect(await statusOf(bearer(signing.token(claimsOf(publicUrl, of))), '', behind.url)).toBe(200)
    expect(await statusOf(cookie(made), '', behind.url)).toBe(503)
    await eventually(() => behind.metric('cardea_index_staleness_seconds')).toBeGreaterThan(5)
    expect(await statusOf(cookie(session), '', behind.url)).toBe(503)
    expect(await statusOf(bearer(token), '', behind.url)).toBe(503)
    proxy.restore()
    await eventually(() => statusOf(cookie(made), '', behind.url)).toBe(200)
  })

  test('past the bound PostgreSQL is asked about the token as well as about its session', async () => {
    const proxy = await openProxy()
    const behind = await startAuthForTest(database.authUrl, {
      ...settings,
      CARDEA_CHANGES_DATABASE_URL: proxy.url,
      CARDEA_MAX_STALENESS: '1s',
    })
    const of = await aTokenSession(records, user)
    const claims = claimsOf(publicUrl, of)
    const token = signing.token(claims)
    await eventually(() => statusOf(bearer(token), '', behind.url)).toBe(200)
    proxy.silence()
    await revokeToken(records, organization, claims.jti)
    await eventually(() => behind.metric('cardea_index_staleness_seconds')).toBeGreaterThan(1)
    expect(await statusOf(bearer(token), '', behind.url)).toBe(401)
    expect(await statusOf(bearer(signing.token(claimsOf(publicUrl, of))), '', behind.url)).toBe(200)
    await endSession(records, session)
    expect(await statusOf(cookie(session), '', behind.url)).toBe(401)
  })
})
