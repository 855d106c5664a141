import { expect, test } from 'vitest'
import {
  type GivenRole,
  isLastOwner,
  mayActOn,
  mayGive,
  memberBindingName,
  permissionsOf,
  planRoles,
  roleNamesOf,
  rolesOfPerson,
} from './member.ts'
import { builtInRoles } from './role.ts'

const ada = { email: 'ada@acme.example', groups: ['ops'] }
const binding = (role: string, subject: object, projectId: string | null = null) => ({
  id: `${role}-${JSON.stringify(subject)}`,
  role,
  projectId,
  subjects: [subject as { kind: string; name: string }],
  declaredBy: null,
})
const given = (role: string, fields: Partial<GivenRole> = {}): GivenRole => ({
  role,
  projectId: undefined,
  declaredBy: undefined,
  bindingId: `b-${role}`,
  ...fields,
})
const rolesBy = (...bindings: ReturnType<typeof binding>[]) =>
  rolesOfPerson(ada, bindings, []).map(({ role }) => role)

test.each([
  ['their address', { kind: 'User', name: 'ada@acme.example' }, ['admin']],
  ['their address in another spelling', { kind: 'User', name: ' Ada@ACME.example' }, ['admin']],
  ['a group of theirs', { kind: 'Group', name: 'ops' }, ['admin']],
  ['a group in another spelling', { kind: 'Group', name: 'Ops' }, []],
  ['an API key of that name', { kind: 'APIKey', name: 'ada@acme.example' }, []],
  ['a user of a group’s name', { kind: 'User', name: 'ops' }, []],
  ['somebody else', { kind: 'User', name: 'bob@acme.example' }, []],
])('a binding of %s gives %j', (_, subject, roles) => {
  expect(rolesBy(binding('admin', subject))).toEqual(roles)
})

test('whom the organization names is an owner', () => {
  const [owner] = rolesOfPerson(ada, [], ['Ada@acme.example'])
  expect(owner).toMatchObject({ role: 'owner', declaredBy: 'The Organization' })
})

test('permissions count on the whole organization alone, and a role that does not exist gives none', () => {
  const roles = [given('scanner'), given('admin', { projectId: 'p1' }), given('ghost')]
  const custom = [{ name: 'scanner', permissions: ['scans:read'] }]
  expect(permissionsOf(roles, custom)).toEqual(['scans:read'])
  expect(roleNamesOf(roles, custom)).toEqual(['scanner'])
})

test('no role of an organization takes the place of a built-in one', () => {
  const custom = [{ name: 'viewer', permissions: ['*:*'] }]
  expect(permissionsOf([given('viewer')], custom)).toEqual(builtInRoles.viewer)
})

test.each([
  ['admin', builtInRoles.owner, false],
  ['admin', builtInRoles.admin, true],
  ['admin', builtInRoles.developer, true],
  ['admin', builtInRoles.viewer, true],
  ['admin', ['scans:read'], false],
  ['admin', builtInRoles.auditor, false],
  ['owner', builtInRoles.owner, true],
  ['owner', ['scans:*'], true],
  ['viewer', ['members:*'], false],
] as const)('%s may give %j: %s', (role, permissions, may) => {
  expect(mayGive(builtInRoles[role], permissions)).toBe(may)
})

test('on an owner only an owner acts, and an owner of a project is none', () => {
  const [owner, admin] = [[given('owner')], [given('admin')]]
  const ofProject = [given('owner', { projectId: 'p1' })]
  expect(mayActOn(admin, owner)).toBe(false)
  expect(mayActOn(ofProject, owner)).toBe(false)
  expect(mayActOn(owner, owner)).toBe(true)
  expect(mayActOn(admin, ofProject)).toBe(true)
})

test.each([
  ['the only one', [['a', true, true]], true],
  [
    'one of two',
    [
      ['a', true, true],
      ['b', true, true],
    ],
    false,
  ],
  [
    'one whose fellow is suspended',
    [
      ['a', true, true],
      ['b', false, true],
    ],
    true,
  ],
  [
    'one whose fellow is no owner',
    [
      ['a', true, true],
      ['b', true, false],
    ],
    true,
  ],
  [
    'no owner',
    [
      ['a', true, false],
      ['b', true, true],
    ],
    false,
  ],
  ['a suspended one without another', [['a', false, true]], false],
] as const)('%s is the last owner: %s', (_, people, last) => {
  const staff = people.map(([id, active, owns]) => ({
    id,
    active,
    roles: owns ? [given('owner')] : [given('viewer')],
  }))
  expect(isLastOwner('a', staff)).toBe(last)
})

test('what is wanted and not there is given, what is there and not wanted is taken', () => {
  const change = planRoles(
    [given('viewer'), given('admin', { declaredBy: 'RBACBinding acme/ops' })],
    [
      { role: 'developer', projectId: undefined },
      { role: 'developer', projectId: undefined },
      { role: 'viewer', projectId: 'p1' },
    ],
  )
  expect(change.give).toEqual([
    { role: 'developer', projectId: undefined },
    { role: 'viewer', projectId: 'p1' },
  ])
  expect(change.take.map(({ role }) => role)).toEqual(['viewer'])
  expect(change.declared.map(({ role }) => role)).toEqual(['admin'])
})

test('what a resource gives and is wanted stays as it is', () => {
  const admin = given('admin', { declaredBy: 'RBACBinding acme/ops' })
  const change = planRoles([admin, given('admin')], [{ role: 'admin', projectId: undefined }])
  expect(change).toEqual({ give: [], take: [], declared: [] })
})

test('each role of a member has a binding of its own', () => {
  expect(memberBindingName('u', { role: 'viewer', projectId: undefined })).toBe('member-u-viewer')
  expect(memberBindingName('u', { role: 'viewer', projectId: 'p' })).toBe('member-u-viewer-p')
})
