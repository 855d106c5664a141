import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  anAPIKey,
  anOrganization,
  anRBACBinding,
  anRBACRole,
  aProject,
} from '../support/build/resource.ts'
import { apply, get, messageOf, remove, whenGone, whenReady } from '../support/kube.ts'
import { openScene, type Scene } from '../support/scene.ts'

// A resync would hide a wake-up that never came: there is none during these tests.
let scene: Scene
let ns: string
beforeAll(async () => {
  scene = await openScene({ resyncInterval: 3_600_000 })
  ;({ ns } = scene)
})
afterAll(() => scene.stop())

const of = (organization: string) => ({ organizationRef: { name: organization } })

test('every kind waits for its Organization, and is Ready as soon as that is', async () => {
  const children = [
    aProject(ns, 'early', of('late')),
    anRBACRole(ns, 'early', of('late')),
    anAPIKey(ns, 'early', of('late')),
    anRBACBinding(ns, 'early', of('late')),
  ]
  await apply(...children)
  for (const { kind } of children) {
    const live = await whenReady(kind, ns, 'early', 'False', 'OrganizationNotFound')
    expect(messageOf(live)).toContain('create it, or correct spec.organizationRef.name')
  }
  expect(await get('secret', ns, 'early-secret')).toBeUndefined()
  await apply(anOrganization(ns, 'late'))
  for (const { kind } of children) await whenReady(kind, ns, 'early')
})

test('while its Organization is not Ready, a resource says so, and not that there is none', async () => {
  await scene.sql(
    `insert into cardea.organizations (name, display_name, managed_by) values ('taken', 'Taken', 'api')`,
  )
  await apply(anOrganization(ns, 'taken'), aProject(ns, 'of-taken', of('taken')))
  await whenReady('organization', ns, 'taken', 'False', 'Conflict')
  await whenReady('project', ns, 'of-taken', 'False', 'OrganizationNotReady')
})

test('a key and a binding wait for their Project, which must be of their Organization', async () => {
  await apply(
    anOrganization(ns, 'one'),
    anOrganization(ns, 'two'),
    aProject(ns, 'of-two', of('two')),
  )
  await whenReady('project', ns, 'of-two')
  const rows = [
    ['absent', 'ProjectNotFound'],
    // It exists, but the organization of the key has no such project.
    ['of-two', 'ProjectNotReady'],
  ] as const
  for (const [name, reason] of rows) {
    const spec = { ...of('one'), projectRef: { name } }
    await apply(anAPIKey(ns, `in-${name}`, spec), anRBACBinding(ns, `in-${name}`, spec))
    await whenReady('apikey', ns, `in-${name}`, 'False', reason)
    await whenReady('rbacbinding', ns, `in-${name}`, 'False', reason)
  }
  await apply(aProject(ns, 'absent', of('one')))
  await whenReady('apikey', ns, 'in-absent')
  await whenReady('rbacbinding', ns, 'in-absent')
})

test('a binding waits for its role and for every APIKey that it names', async () => {
  await apply(
    anOrganization(ns, 'bound'),
    anRBACBinding(ns, 'role', { ...of('bound'), role: 'reviewer' }),
    anRBACBinding(ns, 'key', { ...of('bound'), subjects: [{ kind: 'APIKey', name: 'robot' }] }),
  )
  const role = await whenReady('rbacbinding', ns, 'role', 'False', 'RoleNotFound')
  expect(messageOf(role)).toContain('create the RBACRole, or correct spec.role')
  await whenReady('rbacbinding', ns, 'key', 'False', 'SubjectNotFound')
  await apply(anRBACRole(ns, 'reviewer', of('bound')), anAPIKey(ns, 'robot', of('bound')))
  await whenReady('rbacbinding', ns, 'role')
  await whenReady('rbacbinding', ns, 'key')
  await remove('apikey', ns, 'robot')
  await whenGone('apikey', ns, 'robot')
  await whenReady('rbacbinding', ns, 'key', 'False', 'SubjectNotFound')
})

test('a scope outside the catalogue waits for the catalogue, and one taken out of it is told', async () => {
  const catalogue = (...names: string[]) =>
    anOrganization(ns, 'scoped', { scopes: names.map((name) => ({ name })) })
  await apply(catalogue('scans:write'), anAPIKey(ns, 'reader', of('scoped')))
  const live = await whenReady('apikey', ns, 'reader', 'False', 'ScopeNotFound')
  expect(messageOf(live)).toContain('scans:read (it declares scans:write)')
  await apply(catalogue('scans:write', 'scans:read'))
  await whenReady('apikey', ns, 'reader')
  await apply(catalogue('scans:write'))
  await whenReady('apikey', ns, 'reader', 'False', 'ScopeNotFound')
})
