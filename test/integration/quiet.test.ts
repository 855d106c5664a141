import { afterAll, beforeAll, expect, test } from 'vitest'
import { kinds } from '../../src/api/v1alpha1/kinds.ts'
import { referenceKey } from '../../src/k8s/object.ts'
import {
  anAPIKey,
  anEncryptionKey,
  anOrganization,
  anRBACBinding,
  anRBACRole,
  aProject,
  aProviderCredential,
} from '../support/build/resource.ts'
import { testCluster } from '../support/controlplane.ts'
import { apply, eventually, get, kubectl, request, whenReady } from '../support/kube.ts'
import { counted, openScene, type Scene } from '../support/scene.ts'

let scene: Scene
let ns: string
const names = kinds.map((kind) => kind.kind.toLowerCase())
const expiresAt = '2030-06-30T00:00:00Z'
const manifests = () => [
  anEncryptionKey(ns, 'acme', { rotation: { every: '90d' } }),
  anOrganization(ns, 'acme', {
    encryptionKeyRef: { name: 'acme' },
    domains: ['acme.example'],
    owners: ['owner@acme.example'],
    scopes: [{ name: 'scans:read', description: 'Read' }],
    quotas: { apiKeys: 10 },
    apiKeys: { maxLifetime: '3650d' },
  }),
  aProject(ns, 'acme', { overrides: { quotas: { apiKeys: 5 } } }),
  anRBACRole(ns, 'acme', { permissions: ['scans:read', 'scans:write'] }),
  anAPIKey(ns, 'acme', {
    projectRef: { name: 'acme' },
    expiresAt,
    allowedCIDRs: ['10.0.0.0/8'],
    allowedOrigins: ['https://ci.acme.example'],
    rateLimit: { requests: 600, per: '60s', burst: 100 },
    rotation: { every: '2160h', overlap: '24h' },
  }),
  anRBACBinding(ns, 'acme', {
    role: 'acme',
    subjects: [
      { kind: 'User', name: 'lead@acme.example' },
      { kind: 'APIKey', name: 'acme' },
    ],
  }),
  aProviderCredential(ns, 'acme', { projectRef: { name: 'acme' } }),
]
beforeAll(async () => {
  scene = await openScene({ resyncInterval: 3_600_000 })
  ;({ ns } = scene)
  await kubectl('create', 'secret', 'generic', 'openai-key', '--from-literal=token=sk-1', '-n', ns)
  await apply(...manifests())
  for (const kind of names) await whenReady(kind, ns, 'acme')
  // What is wrapped by the key now is counted when it is looked at.
  scene.operator.manager.wake(referenceKey('EncryptionKey', ns, 'acme'), 'what it wraps')
  await idle()
})
afterAll(() => scene.stop())

const passes = () => counted(scene.operator, 'controller_runtime_reconcile_total', {})
const active = () => counted(scene.operator, 'controller_runtime_active_workers', {})
const depth = () => counted(scene.operator, 'workqueue_depth', {})

/** Waits until no pass is under way or due for half a second; answers how many there were. */
async function idle(): Promise<number> {
  let seen = -1
  return eventually('an idle operator', async () => {
    await new Promise((resolve) => setTimeout(resolve, 500))
    const now = await passes()
    const still = now === seen && (await active()) === 0 && (await depth()) === 0
    seen = now
    return still ? now : undefined
  })
}

/** The version of every row, and who locked it: PostgreSQL was made to write something when this differs. */
async function rowVersions(): Promise<readonly object[]> {
  const tables = await scene.sql(
    `select oid::regclass::text as relname from pg_class
     where relnamespace in ('cardea'::regnamespace, 'cardea_keys'::regnamespace) and relkind = 'r' order by 1`,
  )
  const versions = tables.map(
    ({ relname }) => `select '${relname}' as relation, ctid, xmin, xmax from ${relname}`,
  )
  return scene.sql(`${versions.join(' union all ')} order by 1, 2`)
}

test('a wake-up without a change writes nothing, neither to the API server nor to PostgreSQL', async () => {
  const [before, writes, rows] = [
    await passes(),
    scene.operator.client.writeCount,
    await rowVersions(),
  ]
  for (const { kind } of kinds)
    scene.operator.manager.wake(referenceKey(kind, ns, 'acme'), 'a test')
  expect((await idle()) - before).toBe(kinds.length)
  expect(scene.operator.client.writeCount).toBe(writes)
  expect(await rowVersions()).toEqual(rows)
})

test('a pass that is asked for writes its answer into the status, and nothing else', async () => {
  const [writes, rows] = [scene.operator.client.writeCount, await rowVersions()]
  const before = await Promise.all(names.map((kind) => get(kind, ns, 'acme')))
  for (const kind of names) await request(kind, ns, 'acme', 'reconcile-requested-at', 'now')
  for (const kind of names) {
    await eventually('the answer', async () =>
      (await get(kind, ns, 'acme'))?.status.lastHandledReconcileAt === 'now' ? true : undefined,
    )
  }
  await idle()
  expect(scene.operator.client.writeCount - writes).toBe(kinds.length)
  expect(await rowVersions()).toEqual(rows)
  for (const [at, kind] of names.entries()) {
    const { lastHandledReconcileAt, ...rest } = (await get(kind, ns, 'acme'))?.status ?? {}
    expect(lastHandledReconcileAt).toBe('now')
    expect(rest).toEqual(before[at]?.status)
  }
})

test.each([
  ['encryptionkey', 2],
  ['organization', 2],
  ['project', 2],
  ['rbacrole', 2],
  ['rbacbinding', 2],
  ['providercredential', 2],
  // The finalizer, the Secret, the status.
  ['apikey', 3],
] as const)('a new %s costs %i writes to the API server', async (kind, most) => {
  const build = {
    encryptionkey: anEncryptionKey,
    organization: anOrganization,
    project: aProject,
    rbacrole: anRBACRole,
    rbacbinding: anRBACBinding,
    providercredential: aProviderCredential,
    apikey: anAPIKey,
  }[kind]
  const writes = scene.operator.client.writeCount
  await apply(build(ns, `new-${kind}`, kind === 'apikey' ? { expiresAt } : {}))
  await whenReady(kind, ns, `new-${kind}`)
  await idle()
  expect(scene.operator.client.writeCount - writes).toBe(most)
})

test('its own changes wake the operator no second time', async () => {
  const before = await idle()
  await apply(anAPIKey(ns, 'alone', { projectRef: { name: 'acme' }, expiresAt }))
  await whenReady('apikey', ns, 'alone')
  expect((await idle()) - before).toBe(1)
})

test('the operator owns no field of a spec, and applying the same again changes nothing', async () => {
  for (const kind of names) {
    const text = await kubectl('get', kind, 'acme', '-n', ns, '-o', 'json', '--show-managed-fields')
    const { managedFields } = JSON.parse(text).metadata
    const ours = managedFields.filter((entry: { manager: string }) =>
      entry.manager.startsWith('cardea-operator'),
    )
    expect(ours.length).toBeGreaterThan(0)
    for (const { fieldsV1 } of ours) {
      expect(Object.keys(fieldsV1)).not.toContain('f:spec')
      expect(Object.keys(fieldsV1['f:metadata'] ?? {})).toEqual(
        fieldsV1['f:metadata'] ? ['f:finalizers'] : [],
      )
    }
  }
  const input = manifests()
    .map((manifest) => JSON.stringify(manifest))
    .join('\n---\n')
  // kubectl diff ends with 1, and so throws, when anything differs.
  const options = ['--server-side', '--force-conflicts', '--field-manager=author', '-f', '-']
  expect(await testCluster().kubectl(['diff', ...options], { input })).toBe('')
  const before = await Promise.all(names.map((kind) => get(kind, ns, 'acme')))
  await apply(...manifests())
  await idle()
  expect(await Promise.all(names.map((kind) => get(kind, ns, 'acme')))).toEqual(before)
})
