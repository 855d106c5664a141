import { afterAll, beforeAll, expect, test } from 'vitest'
import { prunePeople } from '../../src/db/prune.ts'
import { writeInOrganization } from '../../src/db/transaction.ts'
import { digestToken } from '../../src/domain/onetimetoken.ts'
import {
  aPerson,
  client,
  openReplicas,
  type PeopleReplica,
  signIn,
} from '../support/peopleservices.ts'
import { testDatabase } from '../support/postgres.ts'
import { Records } from '../support/records.ts'

const database = await testDatabase()
const records = await Records.open(database.superuserUrl)
let replica: PeopleReplica
let organization: string

beforeAll(async () => {
  organization = await records.organization()
  ;[replica] = await openReplicas(database, records, 1)
})
afterAll(async () => {
  await replica.close()
  await records.close()
  await database.drop()
})

const rowOf = async (id: string) =>
  (
    await records.client.query(
      `select *, extract(epoch from expires_at - created_at)::integer as lifetime from cardea.sessions where id = $1`,
      [id],
    )
  ).rows[0]
const eventsOf = async (id: string): Promise<readonly string[]> =>
  (
    await records.client.query<{ action: string }>(
      'select action from cardea.audit_events where target_id = $1 order by id',
      [id],
    )
  ).rows.map(({ action }) => action)
const settings = (id: string, value: object) =>
  records.client.query('update cardea.organizations set settings = $2 where id = $1', [id, value])

test('a browser’s session is kept as a digest, with who signed in from where', async () => {
  const { session, person } = await signIn(replica, await aPerson(records, organization), 'browser')
  const row = await rowOf(session.sessionId)
  expect(row).toMatchObject({
    kind: 'browser',
    user_id: person.userId,
    methods: ['pwd'],
    address: '203.0.113.7',
    device_name: 'Firefox on Windows',
    idle_timeout: 8 * 3600,
    lifetime: 7 * 86_400,
  })
  expect(row.digest).toEqual(digestToken(session.cookie))
  expect(JSON.stringify(row)).not.toContain(session.cookie)
  expect(await eventsOf(session.sessionId)).toEqual(['session.started'])
})

test('an organization says for how long its sessions last', async () => {
  const own = await records.organization()
  await settings(own, { sessions: { idle: '10m', lifetime: '1d' } })
  const { session } = await signIn(replica, await aPerson(records, own), 'browser')
  expect(await rowOf(session.sessionId)).toMatchObject({ idle_timeout: 600, lifetime: 86_400 })
})

test.each([
  ['suspended', 'suspended_at = now()'],
  ['not verified', 'email_verified_at = null'],
])('nobody who is %s signs in', async (_, change) => {
  const person = await aPerson(records, organization)
  await records.client.query(`update cardea.users set ${change} where id = $1`, [person.userId])
  await expect(signIn(replica, person, 'browser')).rejects.toThrow('nobody was signed in')
})

test('what a client says of itself is kept short and printable', async () => {
  const person = await aPerson(records, organization)
  const from = {
    ...client,
    userAgent: `evil\u0000\r\n${'x'.repeat(5000)}`,
    address: 'y'.repeat(99),
  }
  const { session } = await signIn(replica, person, 'browser', from)
  const row = await rowOf(session.sessionId)
  expect(row.user_agent).toMatch(/^evilx{508}$/)
  expect(row.address).toHaveLength(64)
  expect(row.device_name.length).toBeLessThanOrEqual(120)
})

test('somebody has a hundred sessions at most, and the eldest ends', async () => {
  const person = await aPerson(records, organization)
  const first = await signIn(replica, person, 'browser')
  for (let n = 0; n < 100; n++) await signIn(replica, person, 'browser')
  expect(await rowOf(first.session.sessionId)).toMatchObject({ revoked_for: 'too_many' })
  const { rows } = await records.client.query(
    'select count(*)::integer as live from cardea.sessions where user_id = $1 and revoked_at is null',
    [person.userId],
  )
  expect(rows[0].live).toBe(100)
})

test('people see where they are signed in, and which of it is here', async () => {
  const person = await aPerson(records, organization)
  const elsewhere = { ...client, userAgent: 'curl/8.5.0', address: '198.51.100.1' }
  const other = await signIn(replica, person, 'browser', elsewhere)
  const here = await signIn(replica, person, 'browser')
  const views = await replica.sessions.list(here.person)
  expect(
    views.map(({ id, current, deviceName, address }) => [id, current, deviceName, address]),
  ).toEqual(
    expect.arrayContaining([
      [here.session.sessionId, true, 'Firefox on Windows', '203.0.113.7'],
      [other.session.sessionId, false, 'curl', '198.51.100.1'],
    ]),
  )
  expect(views).toHaveLength(2)
})

test.each([
  ['idle for too long', `last_seen_at = now() - interval '9 hours'`],
  ['past its end', `expires_at = now()`],
  ['revoked', 'revoked_at = now()'],
])('a session that is %s is not listed', async (_, change) => {
  const { person, session } = await signIn(replica, await aPerson(records, organization), 'browser')
  await records.client.query(`update cardea.sessions set ${change} where id = $1`, [
    session.sessionId,
  ])
  expect(await replica.sessions.list(person)).toEqual([])
})

test('sessions that the organization or a word about the person ended are not listed', async () => {
  const own = await records.organization()
  const { person } = await signIn(replica, await aPerson(records, own), 'browser')
  expect(await replica.sessions.list(person)).toHaveLength(1)
  const word = 'update cardea.users set sessions_revoked_before = $2 where id = $1'
  await records.client.query(word, [person.userId, new Date(Date.now() + 60_000)])
  expect(await replica.sessions.list(person)).toEqual([])
  await records.client.query(word, [person.userId, null])
  expect(await replica.sessions.list(person)).toHaveLength(1)
  const all = 'update cardea.organizations set sessions_revoked_before = now() where id = $1'
  await records.client.query(all, [own])
  expect(await replica.sessions.list(person)).toEqual([])
})

test('somebody ends one session of theirs, once', async () => {
  const person = await aPerson(records, organization)
  const other = await signIn(replica, person, 'browser')
  const here = await signIn(replica, person, 'browser')
  const revoke = () => replica.sessions.revoke(here.person, other.session.sessionId, client)
  expect(await revoke()).toEqual({ revoked: true })
  expect(await revoke()).toEqual({ refused: 'not_found' })
  expect(await rowOf(other.session.sessionId)).toMatchObject({ revoked_for: 'revoked' })
  expect(await eventsOf(other.session.sessionId)).toEqual(['session.started', 'session.revoked'])
  expect(await replica.sessions.list(here.person)).toHaveLength(1)
})

test('nobody ends a session of somebody else, of their organization or another', async () => {
  const here = await signIn(replica, await aPerson(records, organization), 'browser')
  const colleague = await signIn(replica, await aPerson(records, organization), 'browser')
  const foreign = await records.organization()
  const stranger = await signIn(replica, await aPerson(records, foreign), 'browser')
  const nobody = '0199a5c0-0000-7000-8000-000000000001'
  for (const id of [
    colleague.session.sessionId,
    stranger.session.sessionId,
    nobody,
    'x',
    `' or 1=1`,
  ]) {
    expect(await replica.sessions.revoke(here.person, id, client)).toEqual({ refused: 'not_found' })
  }
  expect(await rowOf(colleague.session.sessionId)).toMatchObject({ revoked_at: null })
  expect(await rowOf(stranger.session.sessionId)).toMatchObject({ revoked_at: null })
})

test.each([
  ['current', 2, 1],
  ['none', 3, 0],
] as const)('ending all sessions keeps %s', async (keep, revoked, left) => {
  const person = await aPerson(records, organization)
  await signIn(replica, person, 'browser')
  await signIn(replica, person, 'token')
  const here = await signIn(replica, person, 'browser')
  expect(await replica.sessions.revokeAll(here.person, keep, client)).toEqual({ revoked })
  const rest = await replica.sessions.list(here.person)
  expect(rest.map(({ id }) => id)).toEqual(left === 0 ? [] : [here.session.sessionId])
  expect(await eventsOf(person.userId)).toEqual(['session.all_ended'])
})

test('signing out ends the session', async () => {
  const { person, session } = await signIn(replica, await aPerson(records, organization), 'browser')
  await replica.sessions.end(person, client)
  expect(await rowOf(session.sessionId)).toMatchObject({ revoked_for: 'signed_out' })
  expect(await eventsOf(session.sessionId)).toEqual(['session.started', 'session.ended'])
})

test('the session that a browser had before ends with the next sign-in, of whomever and wherever', async () => {
  const foreign = await records.organization()
  for (const next of [await aPerson(records, organization), await aPerson(records, foreign)]) {
    const before = await signIn(replica, await aPerson(records, organization), 'browser')
    const elsewhere = await signIn(replica, before.person, 'browser')
    const { cookie } = before.session
    const after = await signIn(replica, next, 'browser', { ...client, session: cookie })
    expect(await rowOf(before.session.sessionId)).toMatchObject({ revoked_for: 'replaced' })
    expect(await eventsOf(before.session.sessionId)).toEqual(['session.started', 'session.ended'])
    expect(await rowOf(after.session.sessionId)).toMatchObject({
      revoked_at: null,
      organization_id: next.organizationId,
    })
    expect(await rowOf(elsewhere.session.sessionId)).toMatchObject({ revoked_at: null })
  }
})

test('a program that signs in ends no session, and neither does a cookie that is none', async () => {
  const person = await aPerson(records, organization)
  const { session } = await signIn(replica, person, 'browser')
  await signIn(replica, person, 'token', { ...client, session: session.cookie })
  for (const text of ['', 'x', `${session.cookie}x`, `' or true --`]) {
    await signIn(replica, person, 'browser', { ...client, session: text })
  }
  expect(await rowOf(session.sessionId)).toMatchObject({ revoked_at: null })
})

test('a renewed session has another cookie, and the former one is none', async () => {
  const { person, session } = await signIn(replica, await aPerson(records, organization), 'browser')
  const { organizationId } = person
  const cookie = await writeInOrganization(replica.pool, { organizationId, actor: 'test' }, (tx) =>
    replica.starter.renew(tx, session.sessionId),
  )
  expect(cookie).not.toBe(session.cookie)
  const { digest } = await rowOf(session.sessionId)
  expect(digest).toEqual(digestToken(cookie ?? ''))
})

test('a sign-in under way when all sessions end is ended too', async () => {
  const person = await aPerson(records, organization)
  const { organizationId, userId, email } = person
  const tenant = { organizationId, actor: 'test' }
  const user = { id: userId, email, groups: [] }
  const { promise: begun, resolve: hasBegun } = Promise.withResolvers<void>()
  const { promise: rest, resolve: goOn } = Promise.withResolvers<void>()
  const signingIn = writeInOrganization(replica.pool, tenant, async (tx) => {
    const who = { organizationId, user, methods: ['pwd'], device: undefined }
    await replica.starter.start(tx, who, 'browser', client)
    hasBegun()
    await rest
  })
  await begun
  const ending = writeInOrganization(replica.pool, tenant, (tx) =>
    replica.starter.endAll(tx, {
      organizationId,
      user,
      by: undefined,
      reason: 'password_reset',
      requestId: undefined,
    }),
  )
  goOn()
  await signingIn
  expect(await ending).toBe(1)
  expect(await replica.sessions.list(person)).toEqual([])
})

test('what is over is forgotten after a month, and nothing that lives', async () => {
  const person = await aPerson(records, organization)
  const live = await signIn(replica, person, 'browser')
  const fresh = await signIn(replica, person, 'browser')
  const old = await signIn(replica, person, 'browser')
  const end = 'update cardea.sessions set revoked_at = now() - $2::interval where id = $1'
  await records.client.query(end, [fresh.session.sessionId, '29 days'])
  await records.client.query(end, [old.session.sessionId, '31 days'])
  const invited = async (email: string, day: string) =>
    (
      await records.client.query<{ id: string }>(
        `insert into cardea.invitations (organization_id, email, role, invited_by, expires_at) values ($1, $2, 'viewer', $4, now() - $3::interval) returning id`,
        [organization, email, day, person.userId],
      )
    ).rows[0]?.id
  const [recent, former] = [
    await invited('recent@acme.example', '29 days'),
    await invited('former@acme.example', '31 days'),
  ]
  await prunePeople(replica.pool, 30)
  const left = await records.client.query('select id from cardea.invitations where id = any ($1)', [
    [recent, former],
  ])
  expect(left.rows).toEqual([{ id: recent }])
  expect(await rowOf(fresh.session.sessionId)).toBeDefined()
  // Whoever has the rights of the service may not end what lives by asking to keep nothing.
  await prunePeople(replica.pool, -3650)
  expect(await rowOf(live.session.sessionId)).toBeDefined()
  expect(await rowOf(old.session.sessionId)).toBeUndefined()
})

test('of thousands that are over, some go at a time, and no replica is told of any', async () => {
  const person = await aPerson(records, organization)
  const live = await signIn(replica, person, 'browser')
  const { rows } = await records.client.query<{ id: string }>(
    `insert into cardea.sessions (organization_id, user_id, kind, digest, methods, idle_timeout, expires_at, revoked_at)
     select $1, $2, 'browser', sha256(n::text::bytea), '{pwd}', 60,
       case when n % 2 = 0 then now() - interval '31 days' else now() + interval '1 day' end,
       case when n % 2 = 1 then now() - interval '31 days' end
     from generate_series(1, 5000) n returning id`,
    [person.organizationId, person.userId],
  )
  const ids = rows.map(({ id }) => id)
  const told = async () =>
    (
      await records.client.query<{ of: number }>(
        `select count(*)::integer as of from cardea.changes where record_id = any ($1::uuid[])`,
        [ids],
      )
    ).rows[0]?.of
  const before = await told()
  const went: number[] = []
  do went.push(await prunePeople(replica.pool, 30))
  while (went.at(-1) !== 0)
  expect(went).toEqual([2000, 2000, 1000, 0])
  expect(await told()).toBe(before)
  expect(await rowOf(live.session.sessionId)).toBeDefined()
})

test('a session that is taken away while it lives is told to the replicas', async () => {
  const { session } = await signIn(replica, await aPerson(records, organization), 'browser')
  await records.client.query('delete from cardea.sessions where id = $1', [session.sessionId])
  const { rows } = await records.client.query(
    'select concept from cardea.changes where record_id = $1',
    [session.sessionId],
  )
  expect(rows).toEqual([{ concept: 'session' }, { concept: 'session' }])
})
