import { afterAll, beforeAll, expect, test } from 'vitest'
import { open, parseEnvelope } from '../../src/kms/envelope.ts'
import { Keyring } from '../../src/kms/keyring.ts'
import { apiKeyContext } from '../../src/operator/apikey/aad.ts'
import { anAPIKey, anEncryptionKey, anOrganization } from '../support/build/resource.ts'
import { testCluster } from '../support/controlplane.ts'
import {
  apply,
  eventually,
  get,
  type Loose,
  remove,
  request,
  whenGone,
  whenReady,
} from '../support/kube.ts'
import { query } from '../support/postgres.ts'
import { counted, openScene, type Scene } from '../support/scene.ts'
import { type TransitKey, transitKey } from '../support/transitkey.ts'

let scene: Scene
let ns: string
const keys = new Map<string, TransitKey>()
let keyring: Keyring

beforeAll(async () => {
  ns = await testCluster().namespace()
  keyring = new Keyring({
    defaultKey: { provider: 'vault', mount: 'transit', name: 'installation' },
    open: (reference) => keyNamed(reference.provider === 'vault' ? reference.name : 'none'),
    allowed: [{ namespace: '*', key: '*' }],
  })
  scene = await openScene({
    namespaces: [ns],
    keyring,
    allowPlainSecrets: true,
    pace: {
      probes: { every: 500, again: 100, fresh: 200 },
      loop: { every: 300, least: 20 },
      bounds: { batch: 20, again: { base: 100, max: 400 } },
    },
  })
})
afterAll(() => scene.stop())

function keyNamed(name: string): TransitKey {
  const key = keys.get(name) ?? transitKey(name)
  keys.set(name, key)
  return key
}

const vault = (name: string) => ({ vault: { mount: 'transit', name } })

/** An organization with its own key, which has the same name. */
async function anOrganizationWithKeys(
  name: string,
  count: number,
  options: { key?: object; spec?: object; apiKey?: object } = {},
): Promise<readonly string[]> {
  await apply(
    anEncryptionKey(ns, name, { ...vault(name), ...options.key }),
    anOrganization(ns, name, { encryptionKeyRef: { name }, ...options.spec }),
  )
  const names = Array.from({ length: count }, (_, at) => `${name}-${at}`)
  const apiKeys = names.map((each) =>
    anAPIKey(ns, each, { organizationRef: { name }, ...options.apiKey }),
  )
  for (let at = 0; at < count; at += 16) {
    await Promise.all(apiKeys.slice(at, at + 16).map((each) => apply(each)))
  }
  for (const each of names) await whenReady('apikey', ns, each)
  return names
}

/** What a Secret holds, and the version of the KEK that wrapped it. */
async function held(
  apiKey: string,
): Promise<{ key: string; kek: string; label: string | undefined }> {
  const [live, secret] = await Promise.all([
    get('apikey', ns, apiKey),
    get('secret', ns, `${apiKey}-secret`),
  ])
  const envelope = parseEnvelope(Buffer.from(secret?.data?.['envelope'] ?? '', 'base64').toString())
  if (!envelope) throw new Error('no envelope')
  const context = apiKeyContext(ns, `${apiKey}-secret`, live?.status.id)
  const key = (await open(keyring.of(ns), envelope, context)).toString()
  const label = secret?.metadata.labels?.['cardea.dev/kek-version']
  return { key, kek: `${envelope.kek.id}/${envelope.kek.version}`, label }
}

const whenAllHeld = (names: readonly string[], kek: string) =>
  eventually(
    `every Secret under ${kek}`,
    async () => {
      const all = await Promise.all(names.map(held))
      return all.every((one) => one.kek === kek) ? all : undefined
    },
    60_000,
  )

const keks = async (organization: string): Promise<Record<string, number>> => {
  const rows = await query<{ kek: string; count: number }>(
    scene.operator.database.superuserUrl,
    `select key_id || '/' || version as kek, wrapped::int as count from cardea.wrapped_keys('test', $1)
     where organization_name = $2 and key_id is not null`,
    [ns, organization],
  )
  return Object.fromEntries(rows.map(({ kek, count }) => [kek, count]))
}

const trail = async (organization: string): Promise<readonly Loose[]> =>
  scene.sql(
    `select action, detail from cardea.audit_events where target_name = $1 and target_kind = 'organization' order by at, id`,
    organization,
  )

const whenComplete = (name: string, total: number, version: string) =>
  eventually(
    `${name} is complete`,
    async () => {
      const { status } = (await get('encryptionkey', ns, name)) ?? {}
      const complete = status?.stale === 0 && status.total === total && status.version === version
      return complete ? status : undefined
    },
    60_000,
  )

test('a new version of a key wraps two hundred envelopes and the data key anew, and no key changes', async () => {
  const names = await anOrganizationWithKeys('many', 200)
  const before = await Promise.all(names.map(held))
  expect(new Set(before.map(({ kek }) => kek))).toEqual(new Set(['transit/many/1']))
  const repairs = await counted(scene.operator, 'cardea_drift_repairs_total', {})
  keyNamed('many').rotate()
  const status = await whenComplete('many', 201, '2')
  expect(status.envelopes).toEqual([{ version: '2', count: 201 }])
  expect(await keks('many')).toEqual({ 'transit/many/2': 201 })
  const after = await whenAllHeld(names, 'transit/many/2')
  expect(after.map(({ key }) => key)).toEqual(before.map(({ key }) => key))
  expect(new Set(after.map(({ label }) => label))).toEqual(new Set(['2']))
  const labels = { namespace: ns, name: 'many' }
  expect(await counted(scene.operator, 'cardea_stale_envelopes', labels)).toBe(0)
  // A rotation is nobody's edit.
  expect(await counted(scene.operator, 'cardea_drift_repairs_total', {})).toBe(repairs)
  const events = (await trail('many')).filter(({ action }) => action === 'organization.rewrapped')
  expect(events.length).toBeLessThan(15)
  expect(events.reduce((sum, { detail }) => sum + detail.secrets + detail.dataKeys, 0)).toBe(201)
}, 120_000)

test('another key of another resource wraps everything anew, and the former one is needed no more', async () => {
  const names = await anOrganizationWithKeys('moving', 5)
  const before = await Promise.all(names.map(held))
  await apply(
    anEncryptionKey(ns, 'moved', vault('moved')),
    anOrganization(ns, 'moving', { encryptionKeyRef: { name: 'moved' } }),
  )
  await whenComplete('moved', 6, '1')
  const after = await whenAllHeld(names, 'transit/moved/1')
  expect(after.map(({ key }) => key)).toEqual(before.map(({ key }) => key))
  const former = await eventually('the former key is empty', async () => {
    const { status } = (await get('encryptionkey', ns, 'moving')) ?? {}
    return status?.envelopes?.length === 0 ? status : undefined
  })
  expect(former).toMatchObject({ total: 0, stale: 0 })
})

test('another key in the same resource, and none at all, wrap everything anew', async () => {
  const names = await anOrganizationWithKeys('edited', 3)
  await apply(anEncryptionKey(ns, 'edited', vault('edited-next')))
  await whenAllHeld(names, 'transit/edited-next/1')
  const organization = await whenReady('organization', ns, 'edited')
  expect(organization.status.encryptionKey).toBe('vault:transit/edited-next')
  await apply(anOrganization(ns, 'edited'))
  await whenAllHeld(names, 'transit/installation/1')
  await eventually('the data key', async () =>
    (await keks('edited'))['transit/installation/1'] === 4 ? true : undefined,
  )
  const actions = (await trail('edited')).map(({ action }) => action)
  expect(actions).not.toContain('organization.drift_repaired')
})

test('a Secret in the clear stays what it is when its envelope is wrapped anew, and that is no drift', async () => {
  const secretRef = { name: 'clear-0-secret', format: 'Plain' }
  await anOrganizationWithKeys('clear', 1, { apiKey: { secretRef } })
  const before = await get('secret', ns, 'clear-0-secret')
  const repairs = await counted(scene.operator, 'cardea_drift_repairs_total', {})
  keyNamed('clear').rotate()
  const after = await eventually('the label', async () => {
    const secret = await get('secret', ns, 'clear-0-secret')
    return secret?.metadata.labels?.['cardea.dev/kek-version'] === '2' ? secret : undefined
  })
  expect(after.data).toEqual(before?.data)
  await whenComplete('clear', 2, '2')
  expect(await counted(scene.operator, 'cardea_drift_repairs_total', {})).toBe(repairs)
})

test('the data key of an organization that was deleted and retained is wrapped anew too', async () => {
  await anOrganizationWithKeys('gone', 0)
  await whenReady('organization', ns, 'gone')
  await remove('organization', ns, 'gone')
  await whenGone('organization', ns, 'gone')
  keyNamed('gone').rotate()
  await eventually('the new version', async () =>
    (await keks('gone'))['transit/gone/2'] === 1 ? true : undefined,
  )
})

test("a new version of the installation's key wraps what is its own anew", async () => {
  await apply(
    anOrganization(ns, 'default'),
    anAPIKey(ns, 'default-0', { organizationRef: { name: 'default' } }),
  )
  await whenReady('apikey', ns, 'default-0')
  const { version } = await keyNamed('installation').describe()
  keyNamed('installation').rotate()
  await whenAllHeld(['default-0'], `transit/installation/${Number(version) + 1}`)
  expect(await counted(scene.operator, 'cardea_stale_envelopes', { name: 'default' })).toBe(0)
})

test('a key manager that goes away in the middle is not stormed, and the rotation goes on when it is back', async () => {
  const names = await anOrganizationWithKeys('interrupted', 50)
  const key = keyNamed('interrupted')
  key.troubleAfter(key.wraps + 25, 'unreachable')
  key.rotate()
  await eventually('the interruption', () => (key.trouble ? true : undefined))
  const done = (await keks('interrupted'))['transit/interrupted/2'] ?? 0
  expect(done).toBeGreaterThan(0)
  expect(done).toBeLessThan(51)
  const refused = key.refusals
  await new Promise((resolve) => setTimeout(resolve, 1500))
  // A probe and a rotation, each with its back-off of at most 500 ms, and the batch that was under way.
  expect(key.refusals - refused).toBeLessThan(30)
  expect((await keks('interrupted'))['transit/interrupted/2']).toBe(done)
  key.trouble = undefined
  await whenAllHeld(names, 'transit/interrupted/2')
}, 60_000)

test('what a former key cannot open stays as it is, is counted, and follows when the key is back', async () => {
  const names = await anOrganizationWithKeys('disabled', 3)
  keyNamed('disabled').trouble = 'disabled'
  await apply(
    anEncryptionKey(ns, 'enabled', vault('enabled')),
    anOrganization(ns, 'disabled', { encryptionKeyRef: { name: 'enabled' } }),
  )
  await eventually('the count', async () =>
    (await get('encryptionkey', ns, 'enabled'))?.status.stale === 4 ? true : undefined,
  )
  await eventually('the complaint', () =>
    scene.operator.log.some((line) => line.includes('a former key does not open'))
      ? true
      : undefined,
  )
  expect(await keks('disabled')).toEqual({ 'transit/disabled/1': 4 })
  keyNamed('disabled').trouble = undefined
  await whenAllHeld(names, 'transit/enabled/1')
  await whenComplete('enabled', 4, '1')
})

test('what one organization cannot open holds up no other that goes to the same key', async () => {
  const stuck = await anOrganizationWithKeys('stuck', 3)
  const free = await anOrganizationWithKeys('free', 3)
  keyNamed('stuck').trouble = 'unreachable'
  for (const name of ['stuck', 'free']) {
    await apply(anEncryptionKey(ns, name, vault('common')))
  }
  await whenAllHeld(free, 'transit/common/1')
  expect(Object.keys(await keks('stuck'))).not.toEqual(['transit/common/1'])
  keyNamed('stuck').trouble = undefined
  await whenAllHeld(stuck, 'transit/common/1')
})

test('a compromised key also replaces the API keys that are older, with overlap', async () => {
  const names = await anOrganizationWithKeys('leaked', 3)
  await apply(
    anAPIKey(ns, 'leaked-rule', {
      organizationRef: { name: 'leaked' },
      rotation: { every: '90d', overlap: '1h' },
    }),
  )
  await whenReady('apikey', ns, 'leaked-rule')
  const all = [...names, 'leaked-rule']
  const before = await Promise.all(all.map(held))
  await pastTheSecond()
  const compromisedBefore = `${new Date().toISOString().slice(0, 19)}Z`
  await apply(
    anEncryptionKey(ns, 'leaked', { ...vault('leaked'), rotation: { compromisedBefore } }),
  )
  const after = await eventually(
    'new keys',
    async () => {
      const now = await Promise.all(all.map(held))
      return now.every(({ key }, at) => key !== before[at]?.key) ? now : undefined
    },
    30_000,
  )
  await eventually('nothing is compromised any more', async () =>
    (await get('encryptionkey', ns, 'leaked'))?.status.compromised === 0 ? true : undefined,
  )
  for (const [at, name] of all.entries()) {
    const { status } = await whenReady('apikey', ns, name)
    expect(status.keys).toMatchObject([
      { state: 'Active', lastFour: after[at]?.key.slice(-4) },
      { state: 'Retiring', lastFour: before[at]?.key.slice(-4) },
    ])
    const overlap = Date.parse(status.keys[1].expiresAt) - Date.parse(compromisedBefore)
    const hours = name === 'leaked-rule' ? 1 : 24
    expect(Math.abs(overlap - hours * 3_600_000)).toBeLessThan(60_000)
  }
  // Once: what is new is not older than the moment.
  await request('apikey', ns, 'leaked-0', 'reconcile-requested-at', 'again')
  await eventually('the answer', async () =>
    (await get('apikey', ns, 'leaked-0'))?.status.lastHandledReconcileAt === 'again'
      ? true
      : undefined,
  )
  expect((await held('leaked-0')).key).toBe(after[0]?.key)
}, 60_000)

test('a moment of compromise that is to come changes nothing yet', async () => {
  await anOrganizationWithKeys('prudent', 1)
  const before = await held('prudent-0')
  const rotation = { compromisedBefore: '2999-01-01T00:00:00Z' }
  await apply(anEncryptionKey(ns, 'prudent', { ...vault('prudent'), rotation }))
  await eventually('the pass', async () => {
    const { status, metadata } = (await get('encryptionkey', ns, 'prudent')) ?? {}
    return status?.observedGeneration === metadata?.generation ? true : undefined
  })
  await request('apikey', ns, 'prudent-0', 'reconcile-requested-at', 'one')
  await eventually('the answer', async () =>
    (await get('apikey', ns, 'prudent-0'))?.status.lastHandledReconcileAt === 'one'
      ? true
      : undefined,
  )
  expect((await held('prudent-0')).key).toBe(before.key)
  expect((await get('encryptionkey', ns, 'prudent'))?.status.compromised).toBeUndefined()
})

const pastTheSecond = () =>
  new Promise((resolve) => {
    setTimeout(resolve, 1001 - (Date.now() % 1000))
  })
