import { beforeEach, expect, test } from 'vitest'
import { anIndexedOrganization } from '../../../test/support/build/indexed.ts'
import { Tenant } from './tenant.ts'

let tenant: Tenant
const organizationId = 'organization'

beforeEach(() => {
  tenant = new Tenant(organizationId)
  tenant.setOrganization(anIndexedOrganization())
})

function bind(
  id: string,
  role: string,
  apiKeys: readonly string[],
  projectId: string | null = null,
) {
  const subjects = apiKeys.map((name) => ({ kind: 'APIKey', name }))
  tenant.setBinding(id, { organizationId, id, projectId, role, subjects })
}
const rolesOf = (name: string, projectId?: string) => tenant.grants.ofApiKey(name, projectId).roles

test('roles on the organization hold on every project, and those on a project there alone', () => {
  bind('1', 'viewer', ['ci', 'other'])
  bind('2', 'admin', ['ci'], 'scanner')
  expect(rolesOf('ci')).toEqual(['viewer'])
  expect(rolesOf('ci', 'scanner')).toEqual(['admin', 'viewer'])
  expect(rolesOf('ci', 'billing')).toEqual(['viewer'])
  expect(rolesOf('nobody', 'scanner')).toEqual([])
})

test('a user or a group of the same name is somebody else', () => {
  const subjects = ['User', 'Group'].map((kind) => ({ kind, name: 'ci' }))
  tenant.setBinding('1', { organizationId, id: '1', projectId: null, role: 'owner', subjects })
  expect(rolesOf('ci')).toEqual([])
})

test('a custom role permits what it says, and one that is gone permits nothing', () => {
  bind('1', 'runner', ['ci'])
  bind('2', 'viewer', ['ci'])
  expect(rolesOf('ci')).toEqual(['viewer'])
  tenant.setRole('r', { organizationId, id: 'r', name: 'runner', permissions: ['scans:run'] })
  expect(tenant.grants.ofApiKey('ci', undefined).permits('scans:run')).toBe(true)
  tenant.setRole('r', undefined)
  expect(rolesOf('ci')).toEqual(['viewer'])
})

test('a custom role with the name of a built-in one changes nothing of it', () => {
  bind('1', 'viewer', ['ci'])
  tenant.setRole('r', { organizationId, id: 'r', name: 'viewer', permissions: ['everything:*'] })
  expect(tenant.grants.ofApiKey('ci', undefined).permits('everything:do')).toBe(false)
})

test('many subjects are found like few', () => {
  const names = Array.from({ length: 500 }, (_, number) => `key-${number}`)
  bind('1', 'viewer', names.slice(0, 300))
  bind('2', 'admin', names.slice(200), 'scanner')
  expect(rolesOf('key-0', 'scanner')).toEqual(['viewer'])
  expect(rolesOf('key-250', 'scanner')).toEqual(['admin', 'viewer'])
  expect(rolesOf('key-499')).toEqual([])
  expect(rolesOf('key-500')).toEqual([])
})

test('a project that was renamed is found by its new name, one that is gone by none', () => {
  const row = { organizationId, id: 'p', name: 'former' }
  tenant.setProject('p', row)
  const project = tenant.project('p')
  expect(tenant.projectByName('former')).toBe(project)
  tenant.setProject('p', { ...row, name: 'present' })
  expect(tenant.projectByName('former')).toBeUndefined()
  expect(tenant.projectByName('present')).toBe(project)
  tenant.setProject('p', undefined)
  expect(tenant.projectByName('present')).toBeUndefined()
  expect(project.name).toBeUndefined()
})

test('no name can break out of a header', () => {
  tenant.setOrganization(anIndexedOrganization({ name: 'a\r\nx-cardea-roles: owner"' }))
  expect(tenant.name).toBe('a%0D%0Ax-cardea-roles:%20owner%22')
})

const ann = { email: 'ann@acme.example', groups: ['platform'] }
const rolesOfAnn = (projectId?: string) => tenant.grants.ofUser(ann, projectId).roles

test.each<[string, readonly { kind: string; name: string }[], readonly string[]]>([
  ['their address', [{ kind: 'User', name: 'ann@acme.example' }], ['viewer']],
  ['their address in capitals', [{ kind: 'User', name: ' Ann@Acme.Example' }], ['viewer']],
  ['a group of theirs', [{ kind: 'Group', name: 'platform' }], ['viewer']],
  ['a group in capitals, which is another', [{ kind: 'Group', name: 'Platform' }], []],
  ['another address', [{ kind: 'User', name: 'ann@acme.test' }], []],
  ['a key that has their address for a name', [{ kind: 'APIKey', name: ann.email }], []],
  ['a group that has', [{ kind: 'Group', name: ann.email }], []],
])('people have the roles that are given to %s', (_, subjects, roles) => {
  tenant.setBinding('1', { organizationId, id: '1', projectId: null, role: 'viewer', subjects })
  expect(rolesOfAnn()).toEqual(roles)
})

test('whom the organization names owns it, until it does not', () => {
  tenant.setOrganization(anIndexedOrganization({ owners: ['Ann@acme.example'] }))
  expect(rolesOfAnn()).toEqual(['owner'])
  expect(rolesOfAnn('scanner')).toEqual(['owner'])
  tenant.setOrganization(anIndexedOrganization())
  expect(rolesOfAnn()).toEqual([])
})

test('a person among many is found like one among few', () => {
  for (let number = 0; number < 200; number++) {
    const subjects = [{ kind: 'User', name: `person-${number}@acme.example` }]
    const id = `${number}`
    tenant.setBinding(id, { organizationId, id, projectId: null, role: 'viewer', subjects })
  }
  const rolesOfPerson = (email: string) =>
    tenant.grants.ofUser({ email, groups: [] }, undefined).roles
  expect(rolesOfPerson('person-150@acme.example')).toEqual(['viewer'])
  expect(rolesOfPerson('person-200@acme.example')).toEqual([])
})
