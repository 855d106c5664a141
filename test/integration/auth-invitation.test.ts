import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Invitation, Person } from '../../src/auth/people.ts'
import { insertOneTimeToken } from '../../src/db/onetimetoken.ts'
import { writeInOrganization } from '../../src/db/transaction.ts'
import { digestToken, mintToken } from '../../src/domain/onetimetoken.ts'
import { aPerson, client, openReplicas, type PeopleReplica } from '../support/peopleservices.ts'
import { testDatabase } from '../support/postgres.ts'
import { Records } from '../support/records.ts'

const database = await testDatabase()
const records = await Records.open(database.superuserUrl)
let replicas: readonly [PeopleReplica, PeopleReplica]
let replica: PeopleReplica
let invitations: PeopleReplica['invitations']
let organization: string
let admin: Person

beforeAll(async () => {
  replicas = await openReplicas(database, records, 2)
  ;[replica] = replicas
  ;({ invitations } = replica)
  ;({ organization, admin } = await anOrganization())
})
afterAll(async () => {
  await Promise.all(replicas.map((each) => each.close()))
  await records.close()
  await database.drop()
})

async function anOrganization(values: Readonly<Record<string, unknown>> = {}) {
  const id = await records.organization()
  for (const [column, value] of Object.entries(values)) {
    await records.client.query(`update cardea.organizations set ${column} = $2 where id = $1`, [
      id,
      value,
    ])
  }
  return { organization: id, admin: await aPerson(records, id, { roles: ['admin'] }) }
}

let count = 0
const anAddress = () => `new-${++count}@acme.example`
const account = { name: 'Ada', password: 'correct horse battery' }

async function invited(by = admin, fields: Partial<Invitation> = {}): Promise<Invitation> {
  const wanted = { email: anAddress(), role: 'viewer', ...fields }
  const outcome = await invitations.invite(by, wanted, client)
  if ('refused' in outcome) throw new Error(JSON.stringify(outcome))
  return outcome
}

/** The token of an invitation, made as its mail's delivery makes it. */
async function tokenOf({ id }: { readonly id: string }, of = organization): Promise<string> {
  const token = mintToken('co', of, randomBytes(32))
  await writeInOrganization(replica.pool, { organizationId: of, actor: 'test' }, (tx) =>
    insertOneTimeToken(tx, {
      organizationId: of,
      purpose: 'invitation',
      subjectId: id,
      digest: digestToken(token),
      lifetime: 86_400,
    }),
  )
  return token
}

const eventsOf = async (id: string): Promise<readonly string[]> =>
  (
    await records.client.query<{ action: string }>(
      'select action from cardea.audit_events where target_id = $1 order by id',
      [id],
    )
  ).rows.map(({ action }) => action)
const rowsOf = async (text: string, values: readonly unknown[]) =>
  (await records.client.query(text, [...values])).rows

test('whoever is invited gets a mail, whose row in the queue has no secret', async () => {
  const invitation = await invited()
  expect(invitation.expiresAt.getTime() - invitation.createdAt.getTime()).toBe(7 * 86_400_000)
  const [mail] = await rowsOf('select * from cardea.mails where subject_id = $1', [invitation.id])
  expect(mail).toMatchObject({
    template: 'invitation',
    recipient: invitation.email,
    state: 'queued',
    arguments: {},
  })
  expect(await eventsOf(invitation.id)).toEqual(['invitation.created'])
})

test('whoever accepts is a member with the role, and their address is verified by it', async () => {
  const invitation = await invited(admin, { role: 'developer' })
  const token = await tokenOf(invitation)
  expect(await invitations.look(token)).toMatchObject({
    email: invitation.email,
    organizationId: organization,
    role: 'developer',
    project: undefined,
    invitedBy: admin.email,
  })
  const outcome = await invitations.accept(token, { ...account, name: ' Ada ' }, client)
  expect(outcome).toEqual({ organization: admin.organization, email: invitation.email })
  const [user] = await rowsOf('select * from cardea.users where email = $1', [invitation.email])
  expect(user).toMatchObject({ name: 'Ada', email_verified_at: expect.any(Date) })
  const [password] = await rowsOf('select * from cardea.passwords where user_id = $1', [user.id])
  expect(password.hash).toMatch(/^\$argon2id\$/)
  const person = { ...admin, userId: user.id, email: user.email }
  expect(await replica.members.me(person)).toMatchObject({
    roles: [{ role: 'developer', project: undefined, source: 'api' }],
  })
  expect(await eventsOf(invitation.id)).toEqual(['invitation.created', 'invitation.accepted'])
  expect(await eventsOf(user.id)).toEqual(['user.created'])
})

test('whoever is invited to a project has the role there alone', async () => {
  await records.project(organization, 'scanner')
  const invitation = await invited(admin, { role: 'admin', project: 'scanner' })
  expect(invitation.project).toBe('scanner')
  await invitations.accept(await tokenOf(invitation), account, client)
  const [user] = await rowsOf('select id, email from cardea.users where email = $1', [
    invitation.email,
  ])
  const me = await replica.members.me({ ...admin, userId: user.id, email: user.email })
  expect(me.roles).toEqual([{ role: 'admin', project: 'scanner', source: 'api' }])
})

test('of a hundred acceptances at once on two replicas exactly one succeeds', async () => {
  const invitation = await invited()
  const token = await tokenOf(invitation)
  const outcomes = await Promise.all(
    Array.from({ length: 100 }, (_, n) =>
      (n % 2 === 0 ? replicas[0] : replicas[1]).invitations.accept(token, account, client),
    ),
  )
  expect(outcomes.filter((outcome) => 'email' in outcome)).toHaveLength(1)
  expect(
    outcomes.filter((outcome) => 'refused' in outcome && outcome.refused === 'token_invalid'),
  ).toHaveLength(99)
  const users = await rowsOf('select id from cardea.users where email = $1', [invitation.email])
  expect(users).toHaveLength(1)
  expect(await eventsOf(invitation.id)).toEqual(['invitation.created', 'invitation.accepted'])
})

test('the newest invitation of an address wins', async () => {
  const first = await invited()
  const former = await tokenOf(first)
  const second = await invited(admin, { email: first.email, role: 'developer' })
  expect(await invitations.look(former)).toBeUndefined()
  expect(await invitations.accept(former, account, client)).toEqual({ refused: 'token_invalid' })
  const open = await invitations.list(admin)
  if ('refused' in open) throw new Error(open.refused)
  expect(open.filter(({ email }) => email === first.email).map(({ id }) => id)).toEqual([second.id])
})

test.each([
  ['expired', 'update cardea.invitations set expires_at = now() where id = $1'],
  ['revoked', 'update cardea.invitations set revoked_at = now() where id = $1'],
  ['accepted', 'update cardea.invitations set accepted_at = now() where id = $1'],
  ['deleted', 'delete from cardea.invitations where id = $1'],
  [
    'without a token that is still good',
    'update cardea.one_time_tokens set expires_at = now() where subject_id = $1',
  ],
])('an invitation that is %s is of no use', async (_, change) => {
  const invitation = await invited()
  const token = await tokenOf(invitation)
  await records.client.query(change, [invitation.id])
  expect(await invitations.look(token)).toBeUndefined()
  expect(await invitations.accept(token, account, client)).toEqual({ refused: 'token_invalid' })
})

test('an admin revokes an invitation, once, and its token is of no use', async () => {
  const invitation = await invited()
  const token = await tokenOf(invitation)
  const revoke = () => invitations.revoke(admin, invitation.id, client)
  expect(await revoke()).toEqual({ revoked: true })
  expect(await revoke()).toEqual({ refused: 'not_found' })
  expect(await invitations.accept(token, account, client)).toEqual({ refused: 'token_invalid' })
  expect(await eventsOf(invitation.id)).toEqual(['invitation.created', 'invitation.revoked'])
})

test('nobody revokes, sees or accepts an invitation of another organization', async () => {
  const foreign = await anOrganization()
  const invitation = await invited()
  const answers = await Promise.all(
    [invitation.id, '0199a5c0-0000-7000-8000-000000000001', 'x'].map((id) =>
      invitations.revoke(foreign.admin, id, client),
    ),
  )
  expect(new Set(answers.map((each) => JSON.stringify(each)))).toEqual(
    new Set(['{"refused":"not_found"}']),
  )
  expect(await invitations.list(foreign.admin)).toEqual([])
  const token = await tokenOf(invitation)
  const moved = mintToken('co', foreign.organization, Buffer.from(token.slice(-43), 'base64url'))
  expect(await invitations.accept(moved, account, client)).toEqual({ refused: 'token_invalid' })
})

test.each(['', 'x', `co_${'A'.repeat(65)}`, `cr_${'A'.repeat(65)}`])(
  'what is no token (%s) is answered like one that does not exist',
  async (text) => {
    expect(await invitations.look(text)).toBeUndefined()
    expect(await invitations.accept(text, account, client)).toEqual({ refused: 'token_invalid' })
  },
)

test('a token for something else accepts no invitation', async () => {
  const invitation = await invited()
  const token = await tokenOf(invitation)
  await records.client.query(
    `update cardea.one_time_tokens set purpose = 'password_reset' where subject_id = $1`,
    [invitation.id],
  )
  expect(await invitations.accept(token, account, client)).toEqual({ refused: 'token_invalid' })
})

test.each<[string, string, object, string]>([
  ['an owner', 'admin', { role: 'owner' }, 'permission_denied'],
  [
    'to a role with more than they may themselves',
    'admin',
    { role: 'releaser' },
    'permission_denied',
  ],
  ['somebody', 'developer', {}, 'permission_denied'],
  ['somebody', 'viewer', {}, 'permission_denied'],
  ['to a role that does not exist', 'admin', { role: 'ghost' }, 'role_not_found'],
  ['to a project that does not exist', 'admin', { project: 'ghost' }, 'project_not_found'],
  ['what is no address', 'admin', { email: 'nobody' }, 'invalid_request'],
])('whoever invites %s as %s is refused', async (_, role, fields, refused) => {
  const { organization: own } = await anOrganization()
  await records.role(own, 'releaser', ['releases:create'])
  const person = await aPerson(records, own, { roles: [role] })
  const wanted = { email: anAddress(), role: 'viewer', ...fields }
  expect(await invitations.invite(person, wanted, client)).toMatchObject({ refused })
  expect(await rowsOf('select id from cardea.mails where organization_id = $1', [own])).toEqual([])
})

test('an owner invites an owner', async () => {
  const owner = await aPerson(records, organization, { roles: ['owner'] })
  await invited(owner, { role: 'owner' })
})

test('an address has one spelling', async () => {
  const invitation = await invited(admin, { email: '  New-Spelling@ACME.example' })
  expect(invitation.email).toBe('new-spelling@acme.example')
})

test('a member is not invited again, in whatever spelling', async () => {
  const { email } = await aPerson(records, organization)
  const wanted = { email: email.toUpperCase(), role: 'viewer' }
  expect(await invitations.invite(admin, wanted, client)).toEqual({ refused: 'member_exists' })
})

test('an invitation sets no password for somebody who came in otherwise meanwhile', async () => {
  const invitation = await invited()
  const token = await tokenOf(invitation)
  await aPerson(records, organization, { email: invitation.email })
  expect(await invitations.accept(token, account, client)).toEqual({ refused: 'token_invalid' })
})

test('the domains of the organization hold when one invites, and when one accepts', async () => {
  const own = await anOrganization({ display_name: 'Acme', domains: ['acme.example', 'acme.test'] })
  const stranger = { email: 'eve@evil.example', role: 'viewer' }
  expect(await invitations.invite(own.admin, stranger, client)).toEqual({
    refused: 'email_domain_not_allowed',
    details: ['Acme takes addresses that end in @acme.example, @acme.test.'],
  })
  const invitation = await invited(own.admin, { email: 'bob@acme.test' })
  const token = await tokenOf(invitation, own.organization)
  await records.client.query(
    `update cardea.organizations set domains = '{acme.example}' where id = $1`,
    [own.organization],
  )
  expect(await invitations.accept(token, account, client)).toMatchObject({
    refused: 'email_domain_not_allowed',
  })
  // Put right, the same token is of use.
  await records.client.query(`update cardea.organizations set domains = '{}' where id = $1`, [
    own.organization,
  ])
  expect(await invitations.accept(token, account, client)).toMatchObject({ email: 'bob@acme.test' })
})

test('the quota counts people and those who are invited', async () => {
  const own = await anOrganization({ settings: { quotas: { users: 3 } } })
  const first = await invited(own.admin)
  await invited(own.admin)
  const third = { email: anAddress(), role: 'viewer' }
  expect(await invitations.invite(own.admin, third, client)).toMatchObject({
    refused: 'quota_exceeded',
  })
  // Another for the same address takes the place of the former.
  const again = await invited(own.admin, { email: first.email })
  const token = await tokenOf(again, own.organization)
  await records.client.query(
    `update cardea.organizations set settings = '{"quotas": {"users": 1}}' where id = $1`,
    [own.organization],
  )
  expect(await invitations.accept(token, account, client)).toMatchObject({
    refused: 'quota_exceeded',
  })
})

test('two who are invited at the same moment do not both take the last place', async () => {
  const own = await anOrganization({ settings: { quotas: { users: 2 } } })
  const outcomes = await Promise.all(
    replicas.map((each) =>
      each.invitations.invite(own.admin, { email: anAddress(), role: 'viewer' }, client),
    ),
  )
  expect(outcomes.filter((outcome) => 'refused' in outcome)).toHaveLength(1)
})

test('resources alone manage an organization, and its people are invited all the same', async () => {
  const own = await anOrganization({ management: 'GitOps' })
  await invited(own.admin)
})

test('an owner whom the organization names needs no binding, and the invitation stands for as long as it does', async () => {
  const own = await anOrganization({ owners: ['Owner@acme.example'] })
  const [{ id }] = await rowsOf(
    `insert into cardea.invitations (organization_id, email, role, expires_at)
     values ($1, 'owner@acme.example', 'owner', now() + interval '1 day') returning id`,
    [own.organization],
  )
  const token = await tokenOf({ id }, own.organization)
  const owners = 'update cardea.organizations set owners = $2 where id = $1'
  await records.client.query(owners, [own.organization, []])
  expect(await invitations.accept(token, account, client)).toEqual({ refused: 'token_invalid' })
  await records.client.query(owners, [own.organization, ['owner@acme.example']])
  expect(await invitations.accept(token, account, client)).toMatchObject({
    email: 'owner@acme.example',
  })
  const [user] = await rowsOf('select id, email from cardea.users where email = $1', [
    'owner@acme.example',
  ])
  const me = await replica.members.me({ ...own.admin, userId: user.id, email: user.email })
  expect(me.roles).toEqual([{ role: 'owner', project: undefined, source: 'resource' }])
  expect(
    await rowsOf(
      `select name from cardea.role_bindings where organization_id = $1 and role = 'owner'`,
      [own.organization],
    ),
  ).toEqual([])
})

test.each(['suspended', 'removed'])(
  'the invitations of an inviter who is %s are revoked',
  async (what) => {
    const own = await anOrganization()
    const other = await aPerson(records, own.organization, { roles: ['admin'] })
    const invitation = await invited(own.admin)
    const token = await tokenOf(invitation, own.organization)
    const { members } = replica
    if (what === 'removed') await members.remove(other, own.admin.userId, client)
    else await members.setSuspended(other, own.admin.userId, true, client)
    expect(await invitations.accept(token, account, client)).toEqual({ refused: 'token_invalid' })
    expect(await eventsOf(invitation.id)).toEqual(['invitation.created', 'invitation.revoked'])
  },
)

const isOpen = async ({ id }: Invitation): Promise<boolean> =>
  (await rowsOf('select revoked_at from cardea.invitations where id = $1', [id]))[0].revoked_at ===
  null
const revocationsOf = ({ id }: Invitation) =>
  rowsOf(
    `select actor_kind as by, detail ->> 'reason' as reason from cardea.audit_events
     where target_id = $1 and action = 'invitation.revoked'`,
    [id],
  )

test.each(['their fellow', 'they themselves'])(
  'the invitations that an inviter could not make any more are revoked when %s takes roles from them',
  async (who) => {
    const own = await anOrganization()
    const inviter = await aPerson(records, own.organization, { roles: ['owner'] })
    const fellow = await aPerson(records, own.organization, { roles: ['owner'] })
    const lost = await invited(inviter, { role: 'owner' })
    const kept = await invited(inviter, { role: 'admin' })
    const of = who === 'their fellow' ? fellow : inviter
    await replica.members.setRoles(of, inviter.userId, [{ role: 'admin' }], client)
    expect([await isOpen(lost), await isOpen(kept)]).toEqual([false, true])
    expect(await revocationsOf(lost)).toEqual([{ by: 'user', reason: 'inviter_demoted' }])
    const answers = []
    for (const each of [lost, kept]) {
      const token = await tokenOf(each, own.organization)
      answers.push(await invitations.accept(token, account, client))
    }
    expect(answers).toEqual([
      { refused: 'token_invalid' },
      { organization: inviter.organization, email: kept.email },
    ])
  },
)

/** Somebody who may invite, and by what. */
const inviters = {
  owners: `update cardea.organizations set owners = '{Host@acme.example}' where id = $1`,
  group: `insert into cardea.role_bindings (organization_id, name, role, subjects, managed_by)
    values ($1, 'ops', 'admin', '[{"kind": "Group", "name": "ops"}]', 'api')`,
  resource: `insert into cardea.role_bindings (organization_id, name, role, subjects, managed_by, owner_installation, owner_namespace, owner_name)
    values ($1, 'ops', 'admin', '[{"kind": "User", "name": "host@acme.example"}]', 'resource', 'default', 'acme', 'ops')`,
  role: `insert into cardea.role_bindings (organization_id, name, role, subjects, managed_by)
    values ($1, 'hosts', 'host', '[{"kind": "User", "name": "host@acme.example"}]', 'api')`,
} as const

test.each<[string, keyof typeof inviters, Partial<Invitation>, string]>([
  [
    'whom the organization named as an owner',
    'owners',
    { role: 'owner' },
    `update cardea.organizations set owners = '{}' where id = $1`,
  ],
  [
    'who was of a group',
    'group',
    { role: 'viewer' },
    `update cardea.users set groups = '{}' where organization_id = $1`,
  ],
  [
    'whose role a resource gave',
    'resource',
    { role: 'viewer' },
    'delete from cardea.role_bindings where organization_id = $1',
  ],
  [
    'whose role gave more',
    'role',
    { role: 'scanner' },
    `update cardea.roles set permissions = '{members:read}' where organization_id = $1 and name = 'host'`,
  ],
  [
    'who was not suspended',
    'resource',
    { role: 'viewer' },
    'update cardea.users set suspended_at = now() where organization_id = $1',
  ],
  [
    'who was still there',
    'resource',
    { role: 'viewer' },
    'delete from cardea.users where organization_id = $1',
  ],
  [
    'to a role that gave less',
    'role',
    { role: 'scanner' },
    `update cardea.roles set permissions = '{scans:read}' where organization_id = $1 and name = 'scanner'`,
  ],
  [
    'to a role that there was',
    'role',
    { role: 'scanner' },
    `delete from cardea.roles where organization_id = $1 and name = 'scanner'`,
  ],
  [
    'to a project that there was',
    'resource',
    { role: 'viewer', project: 'scanner' },
    'update cardea.projects set deleted_at = now() where organization_id = $1',
  ],
])('an invitation by somebody %s is of no use, and is revoked', async (_, by, wanted, change) => {
  const organizationId = await records.organization()
  await records.project(organizationId, 'scanner')
  await records.role(organizationId, 'host', ['members:*'])
  await records.role(organizationId, 'scanner', ['members:read'])
  await records.client.query(inviters[by], [organizationId])
  const host = { email: 'host@acme.example', groups: ['ops'] }
  const inviter = await aPerson(records, organizationId, host)
  const invitation = await invited(inviter, wanted)
  const token = await tokenOf(invitation, organizationId)
  expect(await invitations.look(token)).toMatchObject({ email: invitation.email })
  await records.client.query(change, [organizationId])
  // Whoever only looks changes nothing.
  expect(await invitations.look(token)).toBeUndefined()
  expect(await isOpen(invitation)).toBe(true)
  expect(await invitations.accept(token, account, client)).toEqual({ refused: 'token_invalid' })
  expect(await isOpen(invitation)).toBe(false)
  const reason = 'inviter_not_allowed'
  expect(await revocationsOf(invitation)).toEqual([{ by: 'system', reason }])
  const people = 'select from cardea.users where email = $1'
  expect(await rowsOf(people, [invitation.email])).toEqual([])
})

test('whoever is demoted while somebody accepts was heard before or came too late, and never in between', async () => {
  for (let round = 0; round < 10; round++) {
    const own = await anOrganization()
    const inviter = await aPerson(records, own.organization, { roles: ['owner'] })
    const fellow = await aPerson(records, own.organization, { roles: ['owner'] })
    const invitation = await invited(inviter, { role: 'owner' })
    const token = await tokenOf(invitation, own.organization)
    const [accepted] = await Promise.all([
      replicas[0].invitations.accept(token, account, client),
      replicas[1].members.setRoles(fellow, inviter.userId, [], client),
    ])
    const events = await rowsOf(
      `select action from cardea.audit_events where organization_id = $1
       and action in ('user.created', 'user.roles_changed') order by id`,
      [own.organization],
    )
    const order = events.map(({ action }) => action)
    const inTime = ['user.created', 'user.roles_changed']
    expect(order).toEqual('email' in accepted ? inTime : ['user.roles_changed'])
  }
})

test('an invitation of an owner is an owner’s to revoke and to replace, whoever made it', async () => {
  const own = await anOrganization({ owners: ['boss@acme.example'] })
  const owner = await aPerson(records, own.organization, { roles: ['owner'] })
  const invitation = await invited(owner, { role: 'owner' })
  const [named] = await rowsOf(
    `insert into cardea.invitations (organization_id, email, role, expires_at)
     values ($1, 'boss@acme.example', 'owner', now() + interval '1 day') returning id`,
    [own.organization],
  )
  const denied = { refused: 'permission_denied' }
  for (const { id, email } of [invitation, { id: named.id, email: 'boss@acme.example' }]) {
    expect(await invitations.revoke(own.admin, id, client)).toEqual(denied)
    const wanted = { email, role: 'viewer' }
    expect(await invitations.invite(own.admin, wanted, client)).toEqual(denied)
  }
  expect(await isOpen(invitation)).toBe(true)
  expect(await invitations.revoke(owner, invitation.id, client)).toEqual({ revoked: true })
  await invited(owner, { email: 'boss@acme.example' })
})

test('an address is invited five times an hour, whoever invites it and whatever became of that', async () => {
  const own = await anOrganization()
  const fellow = await aPerson(records, own.organization, { roles: ['admin'] })
  const email = anAddress()
  const first = await invited(own.admin, { email })
  for (let times = 1; times < 4; times++) {
    const { id } = await invited(fellow, { email })
    await invitations.revoke(own.admin, id, client)
  }
  const wanted = { email: email.toUpperCase(), role: 'viewer' }
  const atOnce = await Promise.all(
    replicas.map((each) => each.invitations.invite(own.admin, wanted, client)),
  )
  expect(atOnce.filter((outcome) => !('refused' in outcome))).toHaveLength(1)
  const refused = await invitations.invite(fellow, wanted, client)
  expect(refused).toEqual({ refused: 'too_many_requests', retryAfter: expect.any(Number) })
  const { retryAfter } = refused as { retryAfter: number }
  expect(retryAfter).toBeGreaterThan(3500)
  expect(retryAfter).toBeLessThanOrEqual(3600)
  const mails = 'select from cardea.mails where organization_id = $1 and recipient = $2'
  expect(await rowsOf(mails, [own.organization, email])).toHaveLength(5)
  // Others are invited all the same, and the address by another organization.
  await invited(own.admin)
  await invited(admin, { email })
  await records.client.query(
    `update cardea.invitations set created_at = created_at - interval '59 minutes 50 seconds' where id = $1`,
    [first.id],
  )
  const soon = await invitations.invite(own.admin, wanted, client)
  expect((soon as { retryAfter: number }).retryAfter).toBeLessThanOrEqual(10)
  await records.client.query(
    `update cardea.invitations set created_at = created_at - interval '10 seconds' where id = $1`,
    [first.id],
  )
  await invited(own.admin, { email })
})

test('a name of several lines is refused, and the token is of use afterwards', async () => {
  const token = await tokenOf(await invited())
  const outcome = await invitations.accept(token, { ...account, name: 'a\nb' }, client)
  expect(outcome).toEqual({ refused: 'invalid_request' })
  expect(await invitations.accept(token, account, client)).toHaveProperty('email')
})
