import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { digestApiKey } from '../../src/domain/apikey.ts'
import { SECRETS } from '../../src/k8s/secret.ts'
import {
  anAPIKey,
  anOrganization,
  anRBACBinding,
  anRBACRole,
  aProject,
} from '../support/build/resource.ts'
import { testCluster } from '../support/controlplane.ts'
import {
  admin,
  apply,
  eventually,
  get,
  messageOf,
  patch,
  remove,
  request,
  whenGone,
  whenReady,
} from '../support/kube.ts'
import { openScene, type Scene } from '../support/scene.ts'
import { unreliableKms } from '../support/unreliablekms.ts'

const kms = unreliableKms()
let scene: Scene
let ns: string
beforeAll(async () => {
  scene = await openScene({ kms, resyncInterval: 3_600_000 })
  ;({ ns } = scene)
  await apply(anOrganization(ns, 'acme'), aProject(ns, 'scanner'))
})
afterAll(() => scene.stop())

const build = {
  organization: anOrganization,
  project: aProject,
  rbacrole: anRBACRole,
  rbacbinding: anRBACBinding,
  apikey: anAPIKey,
} as const
const tables = {
  organization: 'organizations',
  project: 'projects',
  rbacrole: 'roles',
  rbacbinding: 'role_bindings',
  apikey: 'api_keys',
} as const
type Kind = keyof typeof tables
const kinds = Object.keys(tables) as Kind[]
const retaining = ['organization', 'project', 'apikey'] as const

const row = async (kind: Kind, id: string) =>
  (await scene.sql(`select * from cardea.${tables[kind]} where id = $1`, id))[0]
const secretsOf = (id: string) =>
  scene.sql('select digest from cardea.api_key_secrets where api_key_id = $1', id)

async function deleted(kind: Kind, name: string): Promise<void> {
  await remove(kind, ns, name)
  await whenGone(kind, ns, name)
}

test.each(retaining)(
  '%s: Retain, which is the default, keeps the record, and the next of that name takes it up',
  async (kind) => {
    const name = `retained-${kind}`
    await apply(build[kind](ns, name))
    const { id } = (await whenReady(kind, ns, name)).status
    await deleted(kind, name)
    expect((await row(kind, id)).deleted_at).toBeInstanceOf(Date)
    expect(await secretsOf(id)).toEqual([])
    await apply(build[kind](ns, name))
    expect((await whenReady(kind, ns, name)).status.id).toBe(id)
    expect((await row(kind, id)).deleted_at).toBeNull()
  },
)

test.each(kinds)(
  '%s: Delete, which roles and bindings know alone, leaves no record, and the next one is another',
  async (kind) => {
    const name = `purged-${kind}`
    const policy = kind.startsWith('rbac') ? {} : { deletionPolicy: 'Delete' }
    await apply(build[kind](ns, name, policy))
    const { id } = (await whenReady(kind, ns, name)).status
    await deleted(kind, name)
    expect(await row(kind, id)).toBeUndefined()
    expect(await secretsOf(id)).toEqual([])
    await apply(build[kind](ns, name, policy))
    expect((await whenReady(kind, ns, name)).status.id).not.toBe(id)
  },
)

test('Delete of an Organization and of a Project takes along what was retained in it', async () => {
  const of = { organizationRef: { name: 'whole' } }
  const deletionPolicy = 'Delete'
  await apply(
    anOrganization(ns, 'whole', { deletionPolicy }),
    aProject(ns, 'part', { ...of, deletionPolicy }),
  )
  await apply(
    anAPIKey(ns, 'in-part', { ...of, projectRef: { name: 'part' } }),
    anAPIKey(ns, 'in-whole', of),
  )
  const ids = [
    (await whenReady('apikey', ns, 'in-part')).status.id,
    (await whenReady('apikey', ns, 'in-whole')).status.id,
  ]
  await deleted('apikey', 'in-part')
  await deleted('apikey', 'in-whole')
  expect(await Promise.all(ids.map((id) => row('apikey', id)))).toEqual([
    expect.anything(),
    expect.anything(),
  ])
  await deleted('project', 'part')
  expect(await row('apikey', ids[0])).toBeUndefined()
  await deleted('organization', 'whole')
  expect(await row('apikey', ids[1])).toBeUndefined()
})

test('a key that comes back has a new secret, and the old one stays revoked though its Secret is put back', async () => {
  await apply(anAPIKey(ns, 'again'))
  const first = await whenReady('apikey', ns, 'again')
  const old = await scene.unwrap('again-secret', first.status.id)
  const kept = await get('secret', ns, 'again-secret')
  await deleted('apikey', 'again')
  await whenGone('secret', ns, 'again-secret')
  const putBack = async () => {
    const { name, namespace, labels } = kept?.metadata ?? { name: '', namespace: '' }
    const manifest = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name, namespace, ...(labels && { labels }) },
    }
    await admin().create(
      SECRETS,
      { ...manifest, type: kept?.type, data: kept?.data },
      { fieldManager: 'user' },
    )
  }
  await putBack()
  await apply(anAPIKey(ns, 'again'))
  const second = await whenReady('apikey', ns, 'again')
  expect(second.status.id).toBe(first.status.id)
  const key = await scene.unwrap('again-secret', second.status.id)
  expect(key).not.toBe(old)
  expect(await secretsOf(second.status.id)).toEqual([{ digest: digestApiKey(key) }])
  await admin().delete(SECRETS, ns, 'again-secret')
  await putBack().catch(() => {})
  await eventually('the repair', async () =>
    (await scene.unwrap('again-secret', second.status.id).catch(() => '')) === key
      ? true
      : undefined,
  )
  expect(await secretsOf(second.status.id)).toEqual([{ digest: digestApiKey(key) }])
})

test('what others still refer to waits, names them, and goes by itself when they are gone', async () => {
  const of = { organizationRef: { name: 'parent' } }
  const projectRef = { name: 'middle' }
  await apply(
    anOrganization(ns, 'parent'),
    aProject(ns, 'middle', of),
    anRBACRole(ns, 'reader', of),
  )
  await apply(
    anAPIKey(ns, 'child', { ...of, projectRef }),
    anRBACBinding(ns, 'child', { ...of, projectRef, role: 'reader' }),
  )
  await whenReady('apikey', ns, 'child')
  await whenReady('rbacbinding', ns, 'child')
  const blocked = [
    ['organization', 'parent', 'APIKey child, Project middle, RBACBinding child, RBACRole reader'],
    ['project', 'middle', 'APIKey child, RBACBinding child'],
    ['rbacrole', 'reader', 'RBACBinding child'],
  ] as const
  for (const [kind, name] of blocked) await remove(kind, ns, name)
  for (const [kind, name, children] of blocked) {
    const live = await eventually(`${kind} ${name} says that it is blocked`, async () => {
      const found = await get(kind, ns, name)
      return messageOf(found).includes('still referred to') ? found : undefined
    })
    expect(messageOf(live)).toContain(`still referred to by ${children}: delete them`)
    expect(live.status.conditions).toContainEqual(
      expect.objectContaining({ type: 'DeletionBlocked', status: 'True', reason: 'HasChildren' }),
    )
    expect((await row(kind, live.status.id)).deleted_at ?? null).toBeNull()
  }
  await remove('rbacbinding', ns, 'child')
  await whenGone('rbacrole', ns, 'reader')
  await remove('apikey', ns, 'child')
  await whenGone('project', ns, 'middle')
  await whenGone('organization', ns, 'parent')
})

test.each(kinds)(
  '%s: the finalizer stays until PostgreSQL has taken the deletion',
  async (kind) => {
    const name = `stays-${kind}`
    await apply(build[kind](ns, name))
    const { id } = (await whenReady(kind, ns, name)).status
    const rights = `update, delete on cardea.${tables[kind]}`
    await scene.sql(`revoke ${rights} from cardea_operator`)
    await remove(kind, ns, name)
    const live = await eventually(`${kind} ${name} says that it failed`, async () => {
      const found = await get(kind, ns, name)
      const ready = found?.status.conditions.find((one: { type: string }) => one.type === 'Ready')
      return ready?.reason === 'ReconcileError' ? found : undefined
    })
    expect(live.metadata.finalizers).toEqual([`cardea.dev/${kind}`])
    expect(await row(kind, id)).toBeDefined()
    await scene.sql(`grant ${rights} to cardea_operator`)
    await whenGone(kind, ns, name)
    expect((await row(kind, id))?.deleted_at ?? 'gone').not.toBeNull()
  },
)

test('while the clean-up waits for a lock, the object stays', async () => {
  await apply(anAPIKey(ns, 'locked'))
  const { id } = (await whenReady('apikey', ns, 'locked')).status
  const client = new Client({ connectionString: scene.operator.database.superuserUrl })
  await client.connect()
  try {
    await client.query('begin; lock table cardea.api_keys in access exclusive mode')
    await remove('apikey', ns, 'locked')
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect((await get('apikey', ns, 'locked'))?.metadata.finalizers).toHaveLength(1)
    await client.query('rollback')
  } finally {
    await client.end()
  }
  await whenGone('apikey', ns, 'locked')
  expect(await secretsOf(id)).toEqual([])
})

test('a deletion needs no KMS, no Secret, no row, no parent', async () => {
  await apply(
    anOrganization(ns, 'lost'),
    aProject(ns, 'lost', { organizationRef: { name: 'lost' } }),
  )
  await apply(
    anAPIKey(ns, 'no-secret'),
    anAPIKey(ns, 'no-row'),
    anAPIKey(ns, 'no-parent', { organizationRef: { name: 'lost' } }),
  )
  for (const name of ['no-secret', 'no-row', 'no-parent']) await whenReady('apikey', ns, name)
  kms.away = true
  try {
    await admin().delete(SECRETS, ns, 'no-secret-secret')
    await deleted('apikey', 'no-secret')
    await scene.sql(`delete from cardea.api_keys where name = 'no-row'`)
    await deleted('apikey', 'no-row')
    await apply(
      anOrganization(ns, 'lost', { suspend: true }),
      aProject(ns, 'lost', { organizationRef: { name: 'lost' }, suspend: true }),
      anAPIKey(ns, 'no-parent', { organizationRef: { name: 'lost' }, suspend: true }),
    )
    await scene.sql(`delete from cardea.api_keys where name = 'no-parent'`)
    await scene.sql(`delete from cardea.projects where name = 'lost'`)
    await scene.sql(`delete from cardea.organizations where name = 'lost'`)
    for (const [kind, name] of [
      ['apikey', 'no-parent'],
      ['project', 'lost'],
      ['organization', 'lost'],
    ] as const) {
      await deleted(kind, name)
    }
  } finally {
    kms.away = false
  }
})

test('a namespace that is deleted with everything in it goes', async () => {
  const doomed = await testCluster().namespace()
  const other = await openScene({ namespaces: [doomed] })
  await apply(
    anOrganization(doomed, 'acme'),
    aProject(doomed, 'scanner'),
    anRBACRole(doomed, 'reader'),
  )
  await apply(
    anAPIKey(doomed, 'ci', { projectRef: { name: 'scanner' } }),
    anAPIKey(doomed, 'suspended'),
    anAPIKey(doomed, 'never-ready', { projectRef: { name: 'nowhere' } }),
    anRBACBinding(doomed, 'readers', {
      role: 'reader',
      subjects: [{ kind: 'APIKey', name: 'ci' }],
    }),
  )
  await whenReady('apikey', doomed, 'suspended')
  await patch('apikey', doomed, 'suspended', { spec: { suspend: true } })
  await whenReady('rbacbinding', doomed, 'readers')
  await whenReady('apikey', doomed, 'never-ready', 'False')
  await request('project', doomed, 'scanner', 'reconcile-requested-at', 'now')
  await remove('namespace', '', doomed)
  await eventually(
    'the end of the namespace',
    async () => ((await get('namespace', '', doomed)) ? undefined : true),
    40_000,
  )
  expect(await other.sql('select 1 from cardea.api_key_secrets')).toEqual([])
  expect(await other.sql('select name from cardea.organizations where deleted_at is null')).toEqual(
    [],
  )
  await other.stop()
})
