import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { DataKeyRow } from '../../src/db/datakey.ts'
import { fingerprintOf, sealedColumn } from '../../src/domain/providercredential.ts'
import { DataKeys } from '../../src/encryption/datakeys.ts'
import { anEncryptionKey, anOrganization, aProviderCredential } from '../support/build/resource.ts'
import { keyringOf } from '../support/keyring.ts'
import { apply, eventually, get, kubectl, request, whenReady } from '../support/kube.ts'
import { testKek } from '../support/operator.ts'
import { openScene, type Scene } from '../support/scene.ts'
import { transitKey } from '../support/transitkey.ts'

let scene: Scene
let ns: string
const key = transitKey('acme')
const keyring = keyringOf(testKek, () => key)
const vault = { mount: 'transit', name: 'acme' }

beforeAll(async () => {
  scene = await openScene({
    keyring,
    pace: {
      probes: { every: 500, again: 100, fresh: 200 },
      loop: { every: 300, least: 20 },
      bounds: { batch: 4, again: { base: 100, max: 400 } },
    },
  })
  ;({ ns } = scene)
})
afterAll(() => scene.stop())

interface Version {
  readonly id: string
  readonly provider_credential_id: string
  readonly organization_id: string
  readonly data_key_version: number
  readonly sealed: Buffer
  readonly fingerprint: string
}

/** An organization with so many credentials; answers its id. */
async function anOrganizationWith(name: string, credentials: number, rotation: object = {}) {
  await apply(
    anEncryptionKey(ns, name, { vault, rotation }),
    anOrganization(ns, name, { encryptionKeyRef: { name } }),
  )
  for (let at = 0; at < credentials; at++) {
    const secret = `${name}-${at}`
    await kubectl(
      'create',
      'secret',
      'generic',
      secret,
      `--from-literal=token=${value(secret)}`,
      '-n',
      ns,
    )
    await apply(
      aProviderCredential(ns, secret, {
        organizationRef: { name },
        provider: `provider-${at}`,
        valueFrom: { secretRef: { name: secret, key: 'token' } },
      }),
    )
    await whenReady('providercredential', ns, secret)
  }
  return (await whenReady('organization', ns, name)).status.id as string
}

const value = (secret: string): string => `sk-${secret}-0123456789abcdefghijklmnop`
const versions = (organizationId: string) =>
  scene.sql<Version>(
    'select * from cardea.provider_credential_versions where organization_id = $1 order by created_at',
    organizationId,
  )
const dataKeys = async (organizationId: string): Promise<readonly DataKeyRow[]> =>
  scene.sql<DataKeyRow>(
    `select organization_id as "organizationId", version, kek, wrapped, created_at as "createdAt", retired_at as "retiredAt"
     from cardea_keys.data_keys where organization_id = $1 order by version`,
    organizationId,
  )
const actionsOf = async (name: string) =>
  (
    await scene.sql(
      `select action from cardea.audit_events where target_name = $1 and target_kind = 'organization' order by at, id`,
      name,
    )
  ).map(({ action }) => action)

/** What the rows hold, opened as an auth replica would. */
async function opened(organizationId: string): Promise<readonly string[]> {
  const keys = await dataKeys(organizationId)
  const reader = new DataKeys({ keyring, now: () => performance.now() })
  const values: string[] = []
  for (const row of await versions(organizationId)) {
    const dataKey = keys.find(({ version }) => version === row.data_key_version)
    if (!dataKey) throw new Error(`no data key ${row.data_key_version}`)
    const place = sealedColumn({
      organizationId,
      providerCredentialId: row.provider_credential_id,
      id: row.id,
    })
    const text = await reader.of(ns).open(dataKey, place, row.sealed)
    const expected = await reader
      .of(ns)
      .derive(dataKey, (each) => fingerprintOf(each, organizationId, text))
    expect(row.fingerprint).toBe(expected)
    values.push(text.toString())
  }
  reader.clear()
  return values
}

/** Waits until one data key is left, of this version, and every row is sealed under it. */
const whenSealedUnder = (organizationId: string, version: number) =>
  eventually(`everything is sealed under data key ${version}`, async () => {
    const [keys, rows] = [await dataKeys(organizationId), await versions(organizationId)]
    const one = keys.length === 1 && keys[0]?.version === version
    return one && rows.every((row) => row.data_key_version === version) ? rows : undefined
  })

test('a rotation on request makes a data key, seals every row anew, and deletes the former one', async () => {
  const id = await anOrganizationWith('asked', 10)
  const before = await versions(id)
  const values = await opened(id)
  expect(values).toHaveLength(10)
  await request('encryptionkey', ns, 'asked', 'rotate-data-key-requested-at', 'one')
  const after = await whenSealedUnder(id, 2)
  expect(after.map((row) => row.id)).toEqual(before.map((row) => row.id))
  for (const [at, row] of after.entries()) {
    expect(row.sealed.equals(before[at]?.sealed ?? Buffer.of())).toBe(false)
  }
  expect(await opened(id)).toEqual(values)
  const live = await eventually('the answer', async () => {
    const { status } = (await get('encryptionkey', ns, 'asked')) ?? {}
    return status?.lastHandledRotateDataKeyAt === 'one' ? status : undefined
  })
  expect(live.stale).toBe(0)
  expect(await actionsOf('asked')).toEqual([
    'organization.created',
    'organization.data_key_created',
    'organization.data_key_rotated',
    ...Array.from({ length: 3 }, () => 'organization.resealed'),
    'organization.data_key_deleted',
  ])
})

test('a request that fails half-way gives nobody a second data key', async () => {
  await apply(
    anEncryptionKey(ns, 'pair', { vault }),
    anOrganization(ns, 'pair-a', { encryptionKeyRef: { name: 'pair' } }),
    anOrganization(ns, 'pair-b', { encryptionKeyRef: { name: 'pair' } }),
  )
  for (const name of ['pair-a', 'pair-b']) await whenReady('organization', ns, name)
  // The probe and the first of the two get through.
  key.troubleAfter(key.wraps + 2, 'throttled')
  await request('encryptionkey', ns, 'pair', 'rotate-data-key-requested-at', 'one')
  await whenReady('encryptionkey', ns, 'pair', 'False')
  key.trouble = undefined
  await eventually('the answer', async () =>
    (await get('encryptionkey', ns, 'pair'))?.status.lastHandledRotateDataKeyAt === 'one'
      ? true
      : undefined,
  )
  for (const name of ['pair-a', 'pair-b']) {
    const actions = await actionsOf(name)
    const rotations = actions.filter((action) => action === 'organization.data_key_rotated')
    expect(rotations, name).toHaveLength(1)
  }
})

test('one request is answered once', async () => {
  const id = await anOrganizationWith('once', 0)
  await request('encryptionkey', ns, 'once', 'rotate-data-key-requested-at', 'one')
  await whenSealedUnder(id, 2)
  await request('encryptionkey', ns, 'once', 'reconcile-requested-at', 'look')
  await eventually('the answer', async () =>
    (await get('encryptionkey', ns, 'once'))?.status.lastHandledReconcileAt === 'look'
      ? true
      : undefined,
  )
  expect((await dataKeys(id)).map(({ version }) => version)).toEqual([2])
})

test('a data key is rotated when its time is over, and not before', async () => {
  const id = await anOrganizationWith('aged', 3, { every: '90d' })
  const values = await opened(id)
  await new Promise((resolve) => setTimeout(resolve, 1000))
  expect((await dataKeys(id)).map(({ version }) => version)).toEqual([1])
  await scene.sql(
    `update cardea_keys.data_keys set created_at = now() - interval '91 days' where organization_id = $1`,
    id,
  )
  await whenSealedUnder(id, 2)
  expect(await opened(id)).toEqual(values)
})

test('a new version of the KEK in the middle of it hinders nothing', async () => {
  const id = await anOrganizationWith('both', 8)
  const values = await opened(id)
  await request('encryptionkey', ns, 'both', 'rotate-data-key-requested-at', 'one')
  key.rotate()
  await whenSealedUnder(id, 2)
  await eventually('the wrapping', async () => {
    const { version } = await key.describe()
    return (await dataKeys(id))[0]?.kek.version === version ? true : undefined
  })
  expect(await opened(id)).toEqual(values)
})

test('a row that was altered by hand is left, and keeps its data key from being deleted', async () => {
  const id = await anOrganizationWith('altered', 2)
  const [first, second] = await versions(id)
  await scene.sql(
    `begin; set local cardea.actor = 'nobody'; update cardea.provider_credential_versions set sealed = '\\x${randomBytes(64).toString('hex')}' where id = '${first?.id}'; commit`,
  )
  await request('encryptionkey', ns, 'altered', 'rotate-data-key-requested-at', 'one')
  await eventually('the other row', async () =>
    (await versions(id)).find((row) => row.id === second?.id)?.data_key_version === 2
      ? true
      : undefined,
  )
  await eventually('the complaint', () =>
    scene.operator.log.some((line) => line.includes('were altered by hand')) ? true : undefined,
  )
  expect((await dataKeys(id)).map(({ version }) => version)).toEqual([1, 2])
})
