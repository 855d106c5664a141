import { afterAll, beforeAll, expect, test } from 'vitest'
import { digestApiKey } from '../../src/domain/apikey.ts'
import {
  anAPIKey,
  anOrganization,
  anRBACBinding,
  anRBACRole,
  aProject,
} from '../support/build/resource.ts'
import { testCluster } from '../support/controlplane.ts'
import { apply, messageOf, remove, whenGone, whenReady } from '../support/kube.ts'
import { openScene, type Scene } from '../support/scene.ts'

let scene: Scene
let ns: string
let elsewhere: string
let organizationId: string
beforeAll(async () => {
  ns = await testCluster().namespace()
  elsewhere = await testCluster().namespace()
  scene = await openScene({ namespaces: [ns, elsewhere], adoptOrganizations: [`${ns}/allowed`] })
  await apply(anOrganization(ns, 'acme'))
  organizationId = (await whenReady('organization', ns, 'acme')).status.id
})
afterAll(() => scene.stop())

/** A record that was made through the HTTP API. */
const made = {
  Project: `insert into cardea.projects (organization_id, name, display_name, managed_by) values ($1, $2, 'Theirs', 'api') returning id`,
  RBACRole: `insert into cardea.roles (organization_id, name, permissions, managed_by) values ($1, $2, '{a:b}', 'api') returning id`,
  RBACBinding: `insert into cardea.role_bindings (organization_id, name, role, subjects, managed_by) values ($1, $2, 'viewer', '[]', 'api') returning id`,
  APIKey: `insert into cardea.api_keys (organization_id, name, managed_by) values ($1, $2, 'api') returning id`,
} as const
const tables = {
  Project: 'projects',
  RBACRole: 'roles',
  RBACBinding: 'role_bindings',
  APIKey: 'api_keys',
} as const
const build = {
  Project: aProject,
  RBACRole: anRBACRole,
  RBACBinding: anRBACBinding,
  APIKey: anAPIKey,
} as const
const kinds = ['Project', 'RBACRole', 'RBACBinding', 'APIKey'] as const

const record = async (kind: keyof typeof tables, name: string) =>
  (await scene.sql(`select * from cardea.${tables[kind]} where name = $1`, name))[0]

test.each(kinds)(
  '%s: a record of the HTTP API is left alone until adoption is asked for',
  async (kind) => {
    const name = kind.toLowerCase()
    const [row] = await scene.sql(made[kind], organizationId, name)
    const before = await record(kind, name)
    await apply(build[kind](ns, name))
    const live = await whenReady(kind, ns, name, 'False', 'Conflict')
    expect(messageOf(live)).toContain(
      'belongs to the HTTP API: set spec.adoptionPolicy to IfUnowned',
    )
    expect(await record(kind, name)).toEqual(before)
    await apply(build[kind](ns, name, { adoptionPolicy: 'IfUnowned' }))
    const adopted = await whenReady(kind, ns, name)
    expect(adopted.status.id).toBe(row?.id)
    expect(await record(kind, name)).toMatchObject({
      managed_by: 'resource',
      owner_installation: 'test',
      owner_namespace: ns,
      owner_name: name,
    })
  },
)

test.each(kinds)(
  '%s: a conflict that is deleted leaves the record of the HTTP API as it was',
  async (kind) => {
    const name = `kept-${kind.toLowerCase()}`
    await scene.sql(made[kind], organizationId, name)
    const before = await record(kind, name)
    await apply(build[kind](ns, name))
    await whenReady(kind, ns, name, 'False', 'Conflict')
    await remove(kind, ns, name)
    await whenGone(kind, ns, name)
    expect(await record(kind, name)).toEqual(before)
  },
)

test.each(kinds)('%s: the record of another installation is never taken over', async (kind) => {
  const name = `other-${kind.toLowerCase()}`
  const [row] = await scene.sql(made[kind], organizationId, name)
  await scene.sql(
    `update cardea.${tables[kind]} set managed_by = 'resource', owner_installation = 'west', owner_namespace = 'far', owner_name = name where id = $1`,
    row?.id,
  )
  await apply(build[kind](ns, name, { adoptionPolicy: 'IfUnowned' }))
  const live = await whenReady(kind, ns, name, 'False', 'Conflict')
  expect(messageOf(live)).toContain(`belongs to ${kind} far/${name} of installation west`)
  expect(await record(kind, name)).toMatchObject({ owner_namespace: 'far' })
})

test('an adopted APIKey goes on with the digest that it has, when the spec gives that', async () => {
  const digest = digestApiKey('made-by-the-api-0123456789')
  const [row] = await scene.sql(made.APIKey, organizationId, 'kept-digest')
  await scene.sql(
    `insert into cardea.api_key_secrets (organization_id, api_key_id, digest, source) values ($1, $2, $3, 'minted')`,
    organizationId,
    row?.id,
    digest,
  )
  const adoptionPolicy = 'IfUnowned'
  await apply(
    anAPIKey(ns, 'kept-digest', { adoptionPolicy, digest: { sha256: digest.toString('hex') } }),
  )
  const live = await whenReady('apikey', ns, 'kept-digest')
  expect(live.status.id).toBe(row?.id)
  const secrets = () =>
    scene.sql('select digest from cardea.api_key_secrets where api_key_id = $1', row?.id)
  expect(await secrets()).toEqual([{ digest }])
})

test('an Organization whose name another namespace has names the owner, whatever it asks for', async () => {
  await apply(anOrganization(elsewhere, 'acme', { adoptionPolicy: 'IfUnowned' }))
  const live = await whenReady('organization', elsewhere, 'acme', 'False', 'Conflict')
  expect(messageOf(live)).toBe(
    `Organization "acme" exists already and belongs to Organization ${ns}/acme of installation test: delete it there with deletionPolicy Delete, or choose another name.`,
  )
  expect(live.status.id).toBeUndefined()
})

test('an Organization of the HTTP API is adopted only from where the administrator allows it', async () => {
  const insert = `insert into cardea.organizations (name, display_name, managed_by) values ($1, 'Theirs', 'api') returning id`
  const [allowed] = await scene.sql(insert, 'allowed')
  const [refused] = await scene.sql(insert, 'refused')
  const adoptionPolicy = 'IfUnowned'
  await apply(anOrganization(ns, 'allowed'), anOrganization(ns, 'refused', { adoptionPolicy }))
  await whenReady('organization', ns, 'allowed', 'False', 'Conflict')
  const live = await whenReady('organization', ns, 'refused', 'False', 'AdoptionNotAllowed')
  expect(messageOf(live)).toContain(`list ${ns}/refused in CARDEA_ADOPT_ORGANIZATIONS`)
  await apply(anOrganization(elsewhere, 'allowed', { adoptionPolicy }))
  await whenReady('organization', elsewhere, 'allowed', 'False', 'AdoptionNotAllowed')
  await apply(anOrganization(ns, 'allowed', { adoptionPolicy }))
  expect((await whenReady('organization', ns, 'allowed')).status.id).toBe(allowed?.id)
  const [row] = await scene.sql(
    'select managed_by from cardea.organizations where id = $1',
    refused?.id,
  )
  expect(row).toEqual({ managed_by: 'api' })
})
