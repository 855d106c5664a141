import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { Keyring } from '../../src/kms/keyring.ts'
import { anAPIKey, anEncryptionKey, anOrganization } from '../support/build/resource.ts'
import { testCluster } from '../support/controlplane.ts'
import {
  apply,
  eventually,
  get,
  messageOf,
  remove,
  request,
  whenGone,
  whenReady,
} from '../support/kube.ts'
import { testKek } from '../support/operator.ts'
import { counted, openScene, type Scene } from '../support/scene.ts'
import { type TransitKey, transitKey } from '../support/transitkey.ts'

let scene: Scene
let ns: string
let keys: Record<string, TransitKey>
let elsewhere: string
/** What the namespaces may use. */
let allowed: { namespace: string; key: string }[]

beforeAll(async () => {
  ns = await testCluster().namespace()
  elsewhere = 'another-namespace'
  keys = Object.fromEntries(['one', 'two', 'private'].map((name) => [name, transitKey(name)]))
  allowed = [
    { namespace: ns, key: 'vault:transit/one' },
    { namespace: ns, key: 'vault:transit/two' },
    { namespace: ns, key: 'vault:transit/none' },
    { namespace: elsewhere, key: 'vault:transit/private' },
  ]
  const keyring = new Keyring({
    defaultKey: { provider: 'local' },
    open: (reference) =>
      reference.provider === 'vault' ? (keys[reference.name] ?? transitKey('none')) : testKek,
    allowed,
  })
  const probes = { every: 300, again: 100, fresh: 0 }
  scene = await openScene({ namespaces: [ns], keyring, pace: { probes } })
})
afterAll(() => scene.stop())
beforeEach(() => {
  for (const key of Object.values(keys)) key.trouble = undefined
})

const vault = (name: string) => ({ vault: { mount: 'transit', name } })
const rowOf = async (name: string) =>
  (await scene.sql('select id, encryption_key from cardea.organizations where name = $1', name))[0]
const keksOf = async (organizationId: string): Promise<readonly string[]> =>
  (
    await scene.sql(
      `select kek ->> 'keyId' as "keyId" from cardea_keys.data_keys where organization_id = $1
       union all select envelope #>> '{kek,id}' from cardea_keys.api_key_secrets where organization_id = $1`,
      organizationId,
    )
  ).map(({ keyId }) => keyId)

test('a key is probed by a wrap and an unwrap, and its status says which it is', async () => {
  await apply(anEncryptionKey(ns, 'one', vault('one')))
  const { status } = await whenReady('encryptionkey', ns, 'one')
  expect(status).toMatchObject({
    provider: 'vault',
    keyId: 'transit/one',
    version: '1',
    total: 0,
    stale: 0,
  })
  expect(status.lastProbeTime).toMatch(/^\d{4}-/)
  const labels = { namespace: ns, name: 'one' }
  expect(await counted(scene.operator, 'cardea_encryption_key_ready', labels)).toBe(1)
  expect(await counted(scene.operator, 'cardea_stale_envelopes', labels)).toBe(0)
})

test('a key that is well costs no write, however often it is probed', async () => {
  await apply(anEncryptionKey(ns, 'quiet', vault('one')))
  await whenReady('encryptionkey', ns, 'quiet')
  const probes = keys['one']?.wraps ?? 0
  const before = await get('encryptionkey', ns, 'quiet')
  await eventually('more probes', () => ((keys['one']?.wraps ?? 0) > probes + 6 ? true : undefined))
  expect(await get('encryptionkey', ns, 'quiet')).toEqual(before)
})

test('an organization that chose a key has everything wrapped by it', async () => {
  await apply(anEncryptionKey(ns, 'chosen', vault('one')))
  await whenReady('encryptionkey', ns, 'chosen')
  await apply(
    anOrganization(ns, 'choosy', { encryptionKeyRef: { name: 'chosen' } }),
    anAPIKey(ns, 'choosy-key', { organizationRef: { name: 'choosy' } }),
  )
  const { status } = await whenReady('organization', ns, 'choosy')
  await whenReady('apikey', ns, 'choosy-key')
  expect(status.encryptionKey).toBe('vault:transit/one')
  expect((await rowOf('choosy'))?.encryption_key).toEqual({
    provider: 'vault',
    mount: 'transit',
    name: 'one',
  })
  expect(await keksOf(status.id)).toEqual(['transit/one', 'transit/one'])
  const secret = await get('secret', ns, 'choosy-key-secret')
  expect(secret?.metadata.labels?.['cardea.dev/kek-version']).toBe('1')
})

test("an organization without a key has the installation's, and a data key of its own", async () => {
  await apply(anOrganization(ns, 'plain'))
  const { status } = await whenReady('organization', ns, 'plain')
  expect(status.encryptionKey).toBeUndefined()
  expect((await rowOf('plain'))?.encryption_key).toBeNull()
  expect(await keksOf(status.id)).toEqual([(await testKek.describe()).keyId])
})

test('an organization waits for its key, and nothing is made of it before', async () => {
  await apply(anOrganization(ns, 'early', { encryptionKeyRef: { name: 'late' } }))
  const waiting = await whenReady('organization', ns, 'early', 'False', 'EncryptionKeyNotFound')
  expect(messageOf(waiting)).toContain('EncryptionKey "late"')
  if (keys['two']) keys['two'].trouble = 'disabled'
  await apply(anEncryptionKey(ns, 'late', vault('two')))
  await whenReady('encryptionkey', ns, 'late', 'False', 'KeyDisabled')
  await whenReady('organization', ns, 'early', 'False', 'EncryptionKeyNotReady')
  expect(await rowOf('early')).toBeUndefined()
  if (keys['two']) keys['two'].trouble = undefined
  await whenReady('organization', ns, 'early')
})

test.each([
  ['disabled', 'KeyDisabled', 'enables it'],
  ['pending_deletion', 'KeyPendingDeletion', 'cancels the deletion'],
  ['denied', 'PermissionDenied', 'service accounts of Cardea'],
  ['not_found', 'KeyNotFound', 'correct the spec'],
  ['refused', 'KeyUnsuitable', 'choose a key'],
  ['unreachable', 'KeyManagementUnavailable', 'tried again'],
  ['throttled', 'KeyManagementUnavailable', 'more slowly'],
] as const)(
  'a key that becomes %s says %s without an edit, takes nothing out of force, and recovers by itself',
  async (trouble, reason, says) => {
    const name = trouble.replaceAll('_', '-')
    await apply(
      anEncryptionKey(ns, name, vault('two')),
      anOrganization(ns, name, { encryptionKeyRef: { name } }),
    )
    await whenReady('organization', ns, name)
    if (keys['two']) keys['two'].trouble = trouble
    const live = await whenReady('encryptionkey', ns, name, 'False', reason)
    expect(messageOf(live)).toContain(says)
    expect(live.status.keyId).toBe('transit/two')
    const labels = { namespace: ns, name, reason }
    const failures = 'cardea_encryption_key_probe_failures_total'
    expect(await counted(scene.operator, failures, labels)).toBeGreaterThan(0)
    await request('organization', ns, name, 'reconcile-requested-at', trouble)
    await eventually('the answer', async () =>
      (await get('organization', ns, name))?.status.lastHandledReconcileAt === trouble
        ? true
        : undefined,
    )
    await whenReady('organization', ns, name)
    if (keys['two']) keys['two'].trouble = undefined
    await whenReady('encryptionkey', ns, name)
  },
)

test('a key that the namespace may not use is refused before its provider is asked', async () => {
  await apply(anEncryptionKey(ns, 'forbidden', vault('private')))
  const live = await whenReady('encryptionkey', ns, 'forbidden', 'False', 'KeyNotAllowed')
  expect(messageOf(live)).toContain(`${ns}=vault:transit/private to kms.allowedKeys`)
  expect(keys['private']?.wraps).toBe(0)
  await apply(anEncryptionKey(ns, 'forbidden', vault('one')))
  await whenReady('encryptionkey', ns, 'forbidden')
})

test('the key of the installation may be named by everybody', async () => {
  await apply(anEncryptionKey(ns, 'installation'))
  const { status } = await whenReady('encryptionkey', ns, 'installation')
  expect(status.keyId).toBe((await testKek.describe()).keyId)
})

test('a key that an edit of the row chose is taken back', async () => {
  await apply(
    anEncryptionKey(ns, 'kept', vault('one')),
    anOrganization(ns, 'tampered', { encryptionKeyRef: { name: 'kept' } }),
  )
  const { status } = await whenReady('organization', ns, 'tampered')
  await scene.sql('update cardea.organizations set encryption_key = null where id = $1', status.id)
  await eventually('the repair', async () =>
    (await rowOf('tampered'))?.encryption_key?.name === 'one' ? true : undefined,
  )
})

test('a key that an organization refers to is not deleted', async () => {
  await apply(
    anEncryptionKey(ns, 'needed', vault('one')),
    anOrganization(ns, 'needy', { encryptionKeyRef: { name: 'needed' } }),
  )
  await whenReady('organization', ns, 'needy')
  await remove('encryptionkey', ns, 'needed')
  const blocked = await whenReady('encryptionkey', ns, 'needed', 'False', 'DeletionBlocked')
  expect(messageOf(blocked)).toContain('Organization needy: let them refer to another key')
  await apply(anOrganization(ns, 'needy'))
  await whenGone('encryptionkey', ns, 'needed')
})

test('an organization that is erased has no data keys, and none comes back', async () => {
  await apply(anOrganization(ns, 'erased', { deletionPolicy: 'Delete' }))
  const { status } = await whenReady('organization', ns, 'erased')
  const [backup] = await scene.sql(
    `select organization_id, version, kek, encode(wrapped, 'hex') as wrapped from cardea_keys.data_keys where organization_id = $1`,
    status.id,
  )
  expect(backup).toBeDefined()
  await remove('organization', ns, 'erased')
  await whenGone('organization', ns, 'erased')
  expect(await keksOf(status.id)).toEqual([])
  const restore = scene.sql(
    `insert into cardea_keys.data_keys (organization_id, version, kek, wrapped) values ($1, $2, $3, decode($4, 'hex'))`,
    backup?.organization_id,
    backup?.version,
    JSON.stringify(backup?.kek),
    backup?.wrapped,
  )
  await expect(restore).rejects.toThrow('was erased')
})

test('an organization that is retained keeps its data keys', async () => {
  await apply(anOrganization(ns, 'retained'))
  const { status } = await whenReady('organization', ns, 'retained')
  await remove('organization', ns, 'retained')
  await whenGone('organization', ns, 'retained')
  expect(await keksOf(status.id)).toHaveLength(1)
})

test('a key that is allowed no more takes no API key out of force, and is asked for when something is to be wrapped', async () => {
  const organizationRef = { name: 'disallowed' }
  await apply(
    anEncryptionKey(ns, 'disallowed', vault('two')),
    anOrganization(ns, 'disallowed', { encryptionKeyRef: { name: 'disallowed' } }),
    anAPIKey(ns, 'lasting', { organizationRef }),
  )
  await whenReady('apikey', ns, 'lasting')
  const [line] = allowed.splice(1, 1)
  if (!line) throw new Error('it was not allowed')
  await request('apikey', ns, 'lasting', 'reconcile-requested-at', 'steady')
  const steady = await eventually('the answer', async () => {
    const live = await get('apikey', ns, 'lasting')
    return live?.status.lastHandledReconcileAt === 'steady' ? live : undefined
  })
  expect(steady.status.conditions[0]).toMatchObject({ type: 'Ready', status: 'True' })
  await request('apikey', ns, 'lasting', 'rotate-requested-at', 'now')
  const live = await whenReady('apikey', ns, 'lasting', 'False', 'KeyNotAllowed')
  expect(messageOf(live)).toContain(`${ns}=vault:transit/two`)
  allowed.push(line)
  await request('apikey', ns, 'lasting', 'reconcile-requested-at', 'allowed')
  await whenReady('apikey', ns, 'lasting')
})

test.each([
  ['disabled', 'KeyDisabled', 'enables it'],
  ['denied', 'PermissionDenied', 'administrator'],
  ['pending_deletion', 'KeyPendingDeletion', 'the organization chooses another key'],
  ['not_found', 'KeyNotFound', 'makes it again'],
  ['refused', 'KeyUnsuitable', 'put back from a backup'],
  ['unreachable', 'KeyManagementUnavailable', 'tried again'],
] as const)('an API key that waits for a key that is %s says %s', async (trouble, reason, says) => {
  const name = `waiting-${trouble.replaceAll('_', '-')}`
  await apply(
    anEncryptionKey(ns, name, vault('one')),
    anOrganization(ns, `early-${name}`, { encryptionKeyRef: { name } }),
  )
  await whenReady('organization', ns, `early-${name}`)
  if (keys['one']) keys['one'].trouble = trouble
  const organizationRef = { name: `early-${name}` }
  await apply(anAPIKey(ns, name, { organizationRef }))
  const live = await whenReady('apikey', ns, name, 'False', reason)
  expect(messageOf(live)).toContain(says)
  if (keys['one']) keys['one'].trouble = undefined
  await request('apikey', ns, name, 'reconcile-requested-at', 'mended')
  await whenReady('apikey', ns, name)
})
