import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Member, Person } from '../../src/auth/people.ts'
import {
  aPerson,
  client,
  openReplicas,
  type PeopleReplica,
  signIn,
  type UserFields,
} from '../support/peopleservices.ts'
import { testDatabase } from '../support/postgres.ts'
import { Records } from '../support/records.ts'

const database = await testDatabase()
const records = await Records.open(database.superuserUrl)
let replicas: readonly [PeopleReplica, PeopleReplica]
let members: PeopleReplica['members']
let replica: PeopleReplica

beforeAll(async () => {
  replicas = await openReplicas(database, records, 2)
  ;[replica] = replicas
  ;({ members } = replica)
})
afterAll(async () => {
  await Promise.all(replicas.map((each) => each.close()))
  await records.close()
  await database.drop()
})

/** An organization with somebody for each of these. */
async function staff<const Name extends string>(
  people: Readonly<Record<Name, UserFields>>,
): Promise<Record<Name, Person> & { readonly organization: string }> {
  const organization = await records.organization()
  const entries: [string, unknown][] = [['organization', organization]]
  for (const [name, fields] of Object.entries<UserFields>(people)) {
    entries.push([name, await aPerson(records, organization, fields)])
  }
  return Object.fromEntries(entries) as never
}

const rolesOf = ({ roles }: Member) =>
  roles.map(({ role, project, source }) => [role, project, source].filter(Boolean).join(' '))
const memberIn = (outcome: object): Member => {
  if ('member' in outcome) return outcome.member as Member
  throw new Error(JSON.stringify(outcome))
}
const eventsOf = async (id: string): Promise<readonly string[]> =>
  (
    await records.client.query<{ action: string }>(
      'select action from cardea.audit_events where target_id = $1 order by id',
      [id],
    )
  ).rows.map(({ action }) => action)
const declare = (organization: string, name: string, role: string, email: string) =>
  records.client.query(
    `insert into cardea.role_bindings (organization_id, name, role, subjects, managed_by, owner_installation, owner_namespace, owner_name)
     values ($1, $2, $3, $4, 'resource', 'default', 'acme', $2)`,
    [organization, name, role, JSON.stringify([{ kind: 'User', name: email }])],
  )
const me = async (person: Person) => rolesOf(await members.me(person))

test('somebody sees who they are', async () => {
  const { owner } = await staff({ owner: { roles: ['owner'] } })
  expect(await members.me(owner)).toMatchObject({
    id: owner.userId,
    email: owner.email,
    organization: owner.organization,
    status: 'active',
    roles: [{ role: 'owner', project: undefined, source: 'api' }],
  })
})

test('somebody says what they are called, on one line', async () => {
  const { ada } = await staff({ ada: {} })
  expect(await members.rename(ada, '  Ada Lovelace ', client)).toEqual({ renamed: true })
  expect(await members.me(ada)).toMatchObject({ name: 'Ada Lovelace' })
  expect(await eventsOf(ada.userId)).toEqual(['user.renamed'])
  for (const name of ['a\nb', 'x'.repeat(121), 'a\u2028b', '\ud800']) {
    expect(await members.rename(ada, name, client)).toEqual({ refused: 'invalid_request' })
  }
})

test('members are listed a page at a time, of one organization alone', async () => {
  const { owner } = await staff({ owner: { roles: ['owner'] }, a: {}, b: {}, c: {}, d: {} })
  const seen: string[] = []
  let after: string | undefined
  for (let pages = 0; pages < 3; pages++) {
    const page = await members.list(owner, { after, limit: 2 })
    if ('refused' in page) throw new Error(page.refused)
    seen.push(...page.members.map(({ id }) => id))
    after = page.next
  }
  expect(after).toBeUndefined()
  expect(new Set(seen).size).toBe(5)
})

test.each([
  ['viewer', true],
  ['developer', true],
  ['', false],
])('%s may list members: %s', async (role, may) => {
  const { ada } = await staff({ ada: { roles: role === '' ? [] : [role] } })
  expect('members' in (await members.list(ada, { limit: 5 }))).toBe(may)
})

test('an admin gives and takes roles, and the trail says which', async () => {
  const { admin, ada, organization } = await staff({
    admin: { roles: ['admin'] },
    ada: { roles: ['viewer'] },
  })
  await records.project(organization, 'scanner')
  const wanted = [{ role: 'developer' }, { role: 'admin', project: 'scanner' }]
  const outcome = await members.setRoles(admin, ada.userId, wanted, client)
  expect(rolesOf(memberIn(outcome)).sort()).toEqual(['admin scanner api', 'developer api'])
  expect((await me(ada)).sort()).toEqual(['admin scanner api', 'developer api'])
  const { rows } = await records.client.query(
    `select actor, detail from cardea.audit_events where action = 'user.roles_changed' and target_id = $1`,
    [ada.userId],
  )
  expect(rows).toEqual([
    {
      actor: admin.userId,
      detail: {
        given: [{ role: 'developer' }, { role: 'admin', projectId: expect.any(String) }],
        taken: [{ role: 'viewer' }],
      },
    },
  ])
  await members.setRoles(admin, ada.userId, [], client)
  expect(await me(ada)).toEqual([])
})

test('asking for what is there already changes nothing', async () => {
  const { admin, ada } = await staff({ admin: { roles: ['admin'] }, ada: { roles: ['viewer'] } })
  memberIn(await members.setRoles(admin, ada.userId, [{ role: 'viewer' }], client))
  expect(await eventsOf(ada.userId)).toEqual([])
})

test.each<[string, readonly { role: string; project?: string }[], string]>([
  ['makes an owner', [{ role: 'owner' }], 'permission_denied'],
  ['makes an owner of a project', [{ role: 'owner', project: 'scanner' }], 'permission_denied'],
  ['gives what they do not have', [{ role: 'releaser' }], 'permission_denied'],
  ['gives a role that does not exist', [{ role: 'ghost' }], 'role_not_found'],
  [
    'gives a role on a project that does not exist',
    [{ role: 'viewer', project: 'ghost' }],
    'project_not_found',
  ],
])('an admin who %s is refused', async (_, wanted, refused) => {
  const { admin, ada, organization } = await staff({ admin: { roles: ['admin'] }, ada: {} })
  await records.project(organization, 'scanner')
  await records.role(organization, 'releaser', ['releases:create'])
  expect(await members.setRoles(admin, ada.userId, wanted, client)).toMatchObject({ refused })
  expect(await me(ada)).toEqual([])
})

test('nobody raises themselves', async () => {
  const { admin, owner } = await staff({ admin: { roles: ['admin'] }, owner: { roles: ['owner'] } })
  const wanted = [{ role: 'owner' }, { role: 'admin' }]
  expect(await members.setRoles(admin, admin.userId, wanted, client)).toEqual({
    refused: 'permission_denied',
  })
  expect(await me(admin)).toEqual(['admin api'])
  expect(await me(owner)).toEqual(['owner api'])
})

test('whoever changes their own roles gets another cookie, and the former one is none', async () => {
  const { owner } = await staff({ owner: { roles: ['owner'] }, other: { roles: ['owner'] } })
  const { person, session } = await signIn(replica, owner, 'browser')
  const outcome = await members.setRoles(person, person.userId, [{ role: 'viewer' }], client)
  expect(outcome).toMatchObject({ cookie: expect.stringMatching(/^session_/) })
  expect(outcome).not.toMatchObject({ cookie: session.cookie })
})

const onOwners: [string, (as: Person, id: string) => Promise<object>][] = [
  ['changes the roles of', (as, id) => members.setRoles(as, id, [], client)],
  ['suspends', (as, id) => members.setSuspended(as, id, true, client)],
  ['removes', (as, id) => members.remove(as, id, client)],
  ['ends the sessions of', (as, id) => replica.members.endSessionsOf(as, id, client)],
]

test.each(onOwners)('an admin who %s an owner is refused', async (_, act) => {
  const { admin, owner } = await staff({
    admin: { roles: ['admin'] },
    owner: { roles: ['owner'] },
    other: { roles: ['owner'] },
  })
  const { session } = await signIn(replica, owner, 'browser')
  expect(await act(admin, owner.userId)).toEqual({ refused: 'permission_denied' })
  expect(await me(owner)).toEqual(['owner api'])
  const views = await replica.sessions.list(owner)
  expect(views.map(({ id }) => id)).toEqual([session.sessionId])
})

test.each(onOwners)(
  'somebody without the permission who %s a colleague is refused',
  async (_, act) => {
    const { ada, bob } = await staff({ ada: { roles: ['developer'] }, bob: {} })
    expect(await act(ada, bob.userId)).toEqual({ refused: 'permission_denied' })
  },
)

test.each(onOwners)('whoever %s somebody of another organization finds nobody', async (_, act) => {
  const { owner } = await staff({ owner: { roles: ['owner'] } })
  const { stranger } = await staff({ stranger: {} })
  const nobody = '0199a5c0-0000-7000-8000-000000000001'
  const answers = await Promise.all([stranger.userId, nobody, 'x', ''].map((id) => act(owner, id)))
  expect(new Set(answers.map((answer) => JSON.stringify(answer)))).toEqual(
    new Set(['{"refused":"not_found"}']),
  )
  expect(await members.me(stranger)).toMatchObject({ status: 'active' })
})

test.each(onOwners.slice(0, 3))('whoever %s the last owner is refused', async (_, act) => {
  const { owner } = await staff({ owner: { roles: ['owner'] }, admin: { roles: ['admin'] } })
  expect(await act(owner, owner.userId)).toEqual({ refused: 'last_owner' })
  expect(await me(owner)).toEqual(['owner api'])
})

test.each([
  ['suspended', 'suspended_at = now()'],
  ['not verified', 'email_verified_at = null'],
])('an owner who is %s is no other owner', async (_, change) => {
  const { owner, other } = await staff({ owner: { roles: ['owner'] }, other: { roles: ['owner'] } })
  await records.client.query(`update cardea.users set ${change} where id = $1`, [other.userId])
  const outcome = await members.setRoles(owner, owner.userId, [], client)
  expect(outcome).toEqual({ refused: 'last_owner' })
})

test.each([
  [
    'the organization',
    (organization: string, email: string) =>
      records.client.query('update cardea.organizations set owners = array[$2] where id = $1', [
        organization,
        email,
      ]),
  ],
  [
    'a resource',
    (organization: string, email: string) => declare(organization, 'owners', 'owner', email),
  ],
  [
    'a group',
    (organization: string) =>
      records.client.query(
        `insert into cardea.role_bindings (organization_id, name, role, subjects, managed_by)
       values ($1, 'owners', 'owner', '[{"kind": "Group", "name": "founders"}]', 'api')`,
        [organization],
      ),
  ],
])('an owner by %s is another owner', async (_, name) => {
  const { owner, other, organization } = await staff({
    owner: { roles: ['owner'] },
    other: { groups: ['founders'] },
  })
  await name(organization, other.email)
  const outcome = await members.setRoles(owner, owner.userId, [], client)
  expect(rolesOf(memberIn(outcome))).toEqual([])
})

test('two owners who demote each other at the same moment leave one', async () => {
  for (let round = 0; round < 10; round++) {
    const { a, b, organization } = await staff({ a: { roles: ['owner'] }, b: { roles: ['owner'] } })
    const outcomes = await Promise.all([
      replicas[0].members.setRoles(a, b.userId, [{ role: 'viewer' }], client),
      replicas[1].members.setRoles(b, a.userId, [{ role: 'viewer' }], client),
    ])
    expect(outcomes.filter((outcome) => 'member' in outcome)).toHaveLength(1)
    // Whoever came second was no owner any more.
    expect(outcomes).toContainEqual({ refused: 'permission_denied' })
    const { rows } = await records.client.query(
      `select count(*)::integer as owners from cardea.role_bindings where organization_id = $1 and role = 'owner'`,
      [organization],
    )
    expect(rows).toEqual([{ owners: 1 }])
  }
})

test('two owners who leave at the same moment leave one', async () => {
  for (let round = 0; round < 10; round++) {
    const { a, b } = await staff({ a: { roles: ['owner'] }, b: { roles: ['owner'] } })
    const outcomes = await Promise.all([
      replicas[0].members.remove(a, a.userId, client),
      replicas[1].members.remove(b, b.userId, client),
    ])
    expect(outcomes).toContainEqual({ removed: true })
    expect(outcomes).toContainEqual({ refused: 'last_owner' })
  }
})

test('what a resource gives is changed at the resource, which is named', async () => {
  const { owner, ada, organization } = await staff({
    owner: { roles: ['owner'] },
    ada: { roles: ['viewer'] },
  })
  await declare(organization, 'ops', 'admin', ada.email)
  expect(await members.setRoles(owner, ada.userId, [], client)).toEqual({
    refused: 'managed_by_resource',
    details: ['RBACBinding acme/ops gives the role admin: change it there.'],
  })
  const kept = [{ role: 'admin' }, { role: 'developer' }]
  const outcome = await members.setRoles(owner, ada.userId, kept, client)
  expect(rolesOf(memberIn(outcome)).sort()).toEqual(['admin resource', 'developer api'])
})

test('what a resource gives on a project that is gone, or by a role that is, is in nobody’s way', async () => {
  const { owner, ada, organization } = await staff({
    owner: { roles: ['owner'] },
    ada: { roles: ['viewer', 'former'] },
  })
  const project = await records.project(organization, 'scanner')
  await declare(organization, 'ghosts', 'ghost', ada.email)
  await declare(organization, 'scanners', 'admin', ada.email)
  await records.client.query(
    `update cardea.role_bindings set project_id = $2 where organization_id = $1 and name = 'scanners'`,
    [organization, project],
  )
  expect((await me(ada)).sort()).toEqual(['admin scanner resource', 'viewer api'])
  await records.client.query('update cardea.projects set deleted_at = now() where id = $1', [
    project,
  ])
  expect(await me(ada)).toEqual(['viewer api'])
  const outcome = await members.setRoles(owner, ada.userId, [{ role: 'developer' }], client)
  expect(rolesOf(memberIn(outcome))).toEqual(['developer api'])
})

test('a suspended person is signed out everywhere, and stays so until they come back', async () => {
  const { admin, ada } = await staff({ admin: { roles: ['admin'] }, ada: { roles: ['viewer'] } })
  const browser = await signIn(replica, ada, 'browser')
  await signIn(replica, ada, 'token')
  const outcome = await members.setSuspended(admin, ada.userId, true, client)
  expect(outcome).toMatchObject({ status: 'suspended' })
  expect(await replica.sessions.list(browser.person)).toEqual([])
  await expect(signIn(replica, ada, 'browser')).rejects.toThrow('nobody')
  expect(await members.list(ada, { limit: 1 })).toEqual({ refused: 'permission_denied' })
  await members.setSuspended(admin, ada.userId, false, client)
  await signIn(replica, ada, 'browser')
  expect(await eventsOf(ada.userId)).toEqual([
    'user.suspended',
    'session.all_ended',
    'user.resumed',
  ])
})

test('suspending twice is written down once', async () => {
  const { admin, ada } = await staff({ admin: { roles: ['admin'] }, ada: {} })
  await members.setSuspended(admin, ada.userId, true, client)
  await members.setSuspended(admin, ada.userId, true, client)
  expect(await eventsOf(ada.userId)).toEqual(['user.suspended', 'session.all_ended'])
})

test('a removed person is gone with their sessions and roles, and the trail stays', async () => {
  const { admin, ada, organization } = await staff({
    admin: { roles: ['admin'] },
    ada: { roles: ['viewer'] },
  })
  await declare(organization, 'readers', 'auditor', ada.email)
  const { session } = await signIn(replica, ada, 'token')
  expect(await members.remove(admin, ada.userId, client)).toEqual({ removed: true })
  expect(await members.remove(admin, ada.userId, client)).toEqual({ refused: 'not_found' })
  const left = await records.client.query(
    `select name from cardea.role_bindings where organization_id = $1 and subjects @> $2`,
    [organization, JSON.stringify([{ kind: 'User', name: ada.email }])],
  )
  expect(left.rows).toEqual([{ name: 'readers' }])
  expect(await replica.sessions.refresh(session.refreshToken, client)).toEqual({
    refused: 'token_invalid',
  })
  expect(await eventsOf(ada.userId)).toEqual(['session.all_ended', 'user.removed'])
})

test('whom the organization names as an owner is removed there, and suspended by anybody who may', async () => {
  const { owner, boss, organization } = await staff({
    owner: { roles: ['owner'] },
    boss: { email: 'boss@acme.example', roles: ['viewer'] },
  })
  const name = (owners: readonly string[]) =>
    records.client.query('update cardea.organizations set owners = $2 where id = $1', [
      organization,
      owners,
    ])
  await name(['Boss@acme.example'])
  expect(await members.remove(owner, boss.userId, client)).toEqual({
    refused: 'managed_by_resource',
    details: ['The Organization gives the role owner: change it there.'],
  })
  expect(await eventsOf(boss.userId)).toEqual([])
  const suspended = await members.setSuspended(owner, boss.userId, true, client)
  expect(suspended).toMatchObject({ status: 'suspended' })
  await name([])
  expect(await members.remove(owner, boss.userId, client)).toEqual({ removed: true })
})

test('others of a binding stay when one of them is removed', async () => {
  const { owner, ada, bob, organization } = await staff({
    owner: { roles: ['owner'] },
    ada: {},
    bob: {},
  })
  const subjects = [ada, bob].map(({ email }) => ({ kind: 'User', name: email }))
  await records.client.query(
    `insert into cardea.role_bindings (organization_id, name, role, subjects, managed_by) values ($1, 'pair', 'viewer', $2, 'api')`,
    [organization, JSON.stringify(subjects)],
  )
  await members.remove(owner, ada.userId, client)
  expect(await me(bob)).toEqual(['viewer api'])
})

test('an admin signs somebody out everywhere', async () => {
  const { admin, ada } = await staff({ admin: { roles: ['admin'] }, ada: {} })
  await signIn(replica, ada, 'browser')
  await signIn(replica, ada, 'token')
  const outcome = await replica.members.endSessionsOf(admin, ada.userId, client)
  expect(outcome).toEqual({ revoked: 2 })
  expect(await eventsOf(ada.userId)).toEqual(['session.all_ended'])
})

test('whoever was demoted a moment ago is refused, whatever a replica remembers', async () => {
  const { owner, admin, ada } = await staff({
    owner: { roles: ['owner'] },
    admin: { roles: ['admin'] },
    ada: {},
  })
  await members.setRoles(owner, admin.userId, [], client)
  const outcome = await replicas[1].members.setRoles(
    admin,
    ada.userId,
    [{ role: 'viewer' }],
    client,
  )
  expect(outcome).toEqual({ refused: 'permission_denied' })
})
