import { afterAll, beforeAll, expect, test } from 'vitest'
import { SECRETS } from '../../src/k8s/secret.ts'
import { anOrganization, aProject, aProviderCredential } from '../support/build/resource.ts'
import {
  admin,
  apply,
  eventually,
  get,
  kubectl,
  messageOf,
  patch,
  remove,
  request,
  whenGone,
  whenReady,
} from '../support/kube.ts'
import { openScene, type Scene } from '../support/scene.ts'
import { traces, whereIs } from '../support/search.ts'
import { unreliableKms } from '../support/unreliablekms.ts'

let scene: Scene
let ns: string
const kms = unreliableKms()
const values: string[] = []

beforeAll(async () => {
  scene = await openScene({ resyncInterval: 3_600_000, kms })
  ;({ ns } = scene)
  await apply(anOrganization(ns, 'acme'), aProject(ns, 'scanner'))
  await whenReady('project', ns, 'scanner')
})
afterAll(() => scene.stop())

const aValue = (what: string): string => {
  const value = `sk-${what}-0123456789abcdefghijklmnopqrstuv-${values.length}-${what}Z9Y8`
  values.push(value)
  return value
}
const encoded = (value: string | Buffer) => Buffer.from(value).toString('base64')
const aSecret = (name: string, data: Record<string, string | Buffer>) =>
  admin().create(
    SECRETS,
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name, namespace: ns },
      data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, encoded(value)])),
    },
    { fieldManager: 'user' },
  )
const setValue = (name: string, value: string | Buffer) =>
  patch('secret', ns, name, { data: { token: encoded(value) } })
const from = (name: string, more: object = {}) => ({
  provider: name,
  valueFrom: { secretRef: { name: `${name}-key`, key: 'token' } },
  ...more,
})
let looks = 0
/** Asks for a look at the source. */
const lookAgain = (name: string) =>
  request('providercredential', ns, name, 'reconcile-requested-at', `${++looks}`)
const versions = (name: string) =>
  scene.sql(
    `select v.* from cardea.provider_credential_versions v join cardea.provider_credentials c on c.id = v.provider_credential_id
     where c.name = $1 order by version`,
    name,
  )
/** A credential in force, and its status. */
async function inForce(name: string, value = aValue(name), more: object = {}) {
  await aSecret(`${name}-key`, { token: value })
  await apply(aProviderCredential(ns, name, from(name, more)))
  return whenReady('providercredential', ns, name)
}
const whenVersion = (name: string, version: number) =>
  eventually(`version ${version}`, async () => {
    const live = await get('providercredential', ns, name)
    return live?.status?.version === version ? live : undefined
  })

test('the value is sealed, and people see by what to recognise it', async () => {
  const { status } = await inForce('openai')
  expect(status).toMatchObject({
    fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/),
    lastFour: 'Z9Y8',
    version: 1,
    dataKeyVersion: 1,
    versions: [{ version: 1 }],
  })
  expect(await versions('openai')).toMatchObject([{ version: 1, revoked_at: null }])
  expect(await scene.sql('select version, retired_at from cardea_keys.data_keys')).toEqual([
    { version: 1, retired_at: null },
  ])
})

test('of a short value no character is shown', async () => {
  const { status } = await inForce('short', 'sk-123456789012')
  expect(status.lastFour).toBeUndefined()
})

test('the same value is no new version, and nothing is written', async () => {
  await inForce('steady')
  const before = await versions('steady')
  await patch('secret', ns, 'steady-key', { metadata: { labels: { touched: 'yes' } } })
  await lookAgain('steady')
  await eventually('the look', async () => {
    const live = await get('providercredential', ns, 'steady')
    return live?.status?.lastHandledReconcileAt === `${looks}` ? true : undefined
  })
  expect(await versions('steady')).toEqual(before)
})

test('a change of the Secret is taken in at once, without being asked for', async () => {
  await inForce('watched')
  await setValue('watched-key', aValue('watched'))
  await whenVersion('watched', 2)
  await remove('secret', ns, 'watched-key')
  await whenReady('providercredential', ns, 'watched', 'False', 'SecretNotFound')
  await aSecret('watched-key', { token: aValue('watched') })
  await whenVersion('watched', 3)
})

test('another value is the next version; those before are revoked and wiped, and two are kept', async () => {
  const { status: first } = await inForce('rotated')
  for (const version of [2, 3, 4]) {
    await setValue('rotated-key', aValue('rotated'))
    await lookAgain('rotated')
    await whenVersion('rotated', version)
  }
  const { status } = await whenReady('providercredential', ns, 'rotated')
  expect(status.versions.map((each: { version: number }) => each.version)).toEqual([4, 3, 2])
  expect(status.versions[0].revokedAt).toBeUndefined()
  expect(status.versions[1].revokedAt).toEqual(expect.any(String))
  expect(status.fingerprint).not.toBe(first.fingerprint)
  const rows = await versions('rotated')
  expect(rows.map(({ sealed }) => sealed.length > 0)).toEqual([false, false, true])
})

test('without its Secret it waits, and is in force as soon as that is there', async () => {
  await apply(aProviderCredential(ns, 'early', from('early')))
  const live = await whenReady('providercredential', ns, 'early', 'False', 'SecretNotFound')
  expect(messageOf(live)).toContain('create it, or correct spec.valueFrom.secretRef.name')
  await aSecret('early-key', { other: 'x' })
  await lookAgain('early')
  const keyless = await whenReady('providercredential', ns, 'early', 'False', 'SecretKeyNotFound')
  expect(messageOf(keyless)).toContain('has no entry "token"')
  await setValue('early-key', aValue('early'))
  await lookAgain('early')
  await whenReady('providercredential', ns, 'early')
})

test.each<[string, Buffer, string]>([
  ['empty', Buffer.alloc(0), 'is empty'],
  ['too-long', Buffer.alloc(65_537, 'a'), 'longer than 65536 bytes'],
  ['binary', Buffer.from('a\0b'), 'not UTF-8 text without NUL'],
])('a value that is %s is refused with the remedy', async (name, value, says) => {
  await aSecret(`${name}-key`, { token: value })
  await apply(aProviderCredential(ns, name, from(name)))
  const live = await whenReady('providercredential', ns, name, 'False', 'InvalidValue')
  expect(messageOf(live)).toContain(says)
  expect(await versions(name)).toEqual([])
})

test('the longest value is kept', async () => {
  const { status } = await inForce('longest', 'ü'.repeat(32_768))
  expect(status.version).toBe(1)
})

test('when the Secret is emptied or deleted the last good version goes on working, and people are told', async () => {
  await inForce('lasting')
  const before = await versions('lasting')
  await setValue('lasting-key', '')
  await lookAgain('lasting')
  const emptied = await whenReady('providercredential', ns, 'lasting', 'False', 'InvalidValue')
  expect(messageOf(emptied)).toContain('Version 1, the last good one, goes on working')
  expect(emptied.status.version).toBe(1)
  await remove('secret', ns, 'lasting-key')
  await lookAgain('lasting')
  await whenReady('providercredential', ns, 'lasting', 'False', 'SecretNotFound')
  expect(await versions('lasting')).toEqual(before)
  await eventually('the warning', async () => {
    const events = await kubectl('get', 'events', '-n', ns, '-o', 'json')
    return /"reason": "SecretNotFound"/.test(events) ? true : undefined
  })
})

test('a last good version that opens no more is told of, and comes back with the Secret', async () => {
  await inForce('lost')
  await remove('secret', ns, 'lost-key')
  await whenReady('providercredential', ns, 'lost', 'False', 'SecretNotFound')
  await scene.sql(
    `update cardea.provider_credential_versions set sealed = set_byte(sealed, 40, get_byte(sealed, 40) # 1)
     where provider_credential_id = (select id from cardea.provider_credentials where name = 'lost')`,
  )
  await lookAgain('lost')
  const live = await whenReady('providercredential', ns, 'lost', 'False', 'ValueLost')
  expect(messageOf(live)).toContain('Version 1, the last good one, does not open any more')
  expect(messageOf(live)).toContain('until the Secret is put back')
  await aSecret('lost-key', { token: aValue('lost') })
  await whenVersion('lost', 2)
  await whenReady('providercredential', ns, 'lost')
})

test('a last good version whose data key is gone is told of', async () => {
  await inForce('keyless')
  await remove('secret', ns, 'keyless-key')
  await whenReady('providercredential', ns, 'keyless', 'False', 'SecretNotFound')
  await scene.sql(
    `update cardea.provider_credential_versions set data_key_version = 99
     where provider_credential_id = (select id from cardea.provider_credentials where name = 'keyless')`,
  )
  await lookAgain('keyless')
  await whenReady('providercredential', ns, 'keyless', 'False', 'ValueLost')
  await aSecret('keyless-key', { token: aValue('keyless') })
  await whenReady('providercredential', ns, 'keyless')
})

test('a second credential for the provider is refused until the first is gone', async () => {
  await inForce('rival')
  const spec = from('rival')
  await apply(aProviderCredential(ns, 'other-rival', spec))
  const live = await whenReady(
    'providercredential',
    ns,
    'other-rival',
    'False',
    'DuplicateProvider',
  )
  expect(messageOf(live)).toContain('ProviderCredential "rival"')
  // A project may have one of its own.
  await apply(aProviderCredential(ns, 'scanners', { ...spec, projectRef: { name: 'scanner' } }))
  await whenReady('providercredential', ns, 'scanners')
  await patch('providercredential', ns, 'rival', { spec: { deletionPolicy: 'Delete' } })
  await remove('providercredential', ns, 'rival')
  await whenGone('providercredential', ns, 'rival')
  await lookAgain('other-rival')
  await whenReady('providercredential', ns, 'other-rival')
})

test('what somebody altered, revoked or moved is sealed anew from the Secret, and counted', async () => {
  await inForce('altered')
  await inForce('donor')
  const [donor] = await versions('donor')
  const change = (set: string, ...more: unknown[]) =>
    scene.sql(
      `update cardea.provider_credential_versions set ${set} where revoked_at is null
       and provider_credential_id = (select id from cardea.provider_credentials where name = 'altered')`,
      ...more,
    )
  await change('sealed = $1', donor?.sealed)
  await whenVersion('altered', 2)
  await change(`revoked_at = now(), sealed = ''`)
  const live = await whenVersion('altered', 3)
  expect(live.status.versions[0].revokedAt).toBeUndefined()
  const text = await scene.operator.registry.metrics()
  expect(text).toMatch(/cardea_drift_repairs_total\{kind="ProviderCredential",where="row"\} [1-9]/)
})

test('with the KMS away what is in force stays so, and a new value waits', async () => {
  await inForce('outage')
  const isolated = await scene.sql<{ id: string }>(
    `select id from cardea.organizations where name = 'acme'`,
  )
  expect(isolated).toHaveLength(1)
  await apply(anOrganization(ns, 'afresh'))
  await aSecret('afresh-key', { token: aValue('afresh') })
  kms.away = true
  await apply(
    aProviderCredential(ns, 'afresh', from('afresh', { organizationRef: { name: 'afresh' } })),
  )
  await whenReady('providercredential', ns, 'afresh', 'False', 'KeyManagementUnavailable')
  await lookAgain('outage')
  await eventually('the look', async () => {
    const live = await get('providercredential', ns, 'outage')
    return live?.status?.lastHandledReconcileAt === `${looks}` ? true : undefined
  })
  await whenReady('providercredential', ns, 'outage')
  kms.away = false
  await lookAgain('afresh')
  await whenReady('providercredential', ns, 'afresh')
})

test('a deletion that retains wipes the value; the next resource of the name takes the record up', async () => {
  const { status } = await inForce('retained')
  await remove('providercredential', ns, 'retained')
  await whenGone('providercredential', ns, 'retained')
  const [row] = await versions('retained')
  expect(row).toMatchObject({ revoked_at: expect.any(Date), sealed: Buffer.of() })
  await apply(aProviderCredential(ns, 'retained', from('retained')))
  const again = await whenReady('providercredential', ns, 'retained')
  expect(again.status).toMatchObject({ id: status.id, version: 2 })
})

test('a deletion that purges leaves nothing but the audit trail', async () => {
  const { status } = await inForce('purged', undefined, { deletionPolicy: 'Delete' })
  await remove('providercredential', ns, 'purged')
  await whenGone('providercredential', ns, 'purged')
  expect(await versions('purged')).toEqual([])
  const trail = await scene.sql(
    'select action, detail from cardea.audit_events where target_id = $1 order by at',
    status.id,
  )
  expect(trail.map(({ action }) => action)).toEqual([
    'provider_credential.created',
    'provider_credential.version_added',
    'provider_credential.deleted',
  ])
})

test('no value is in a status, an event, a log, a metric or a row', async () => {
  const tables = await scene.sql<{ table: string }>(
    `select format('%I.%I', schemaname, tablename) as table from pg_tables where schemaname in ('cardea', 'cardea_keys')`,
  )
  const rows = await Promise.all(
    tables.map(async ({ table }) => ({
      name: table,
      content: Buffer.from(JSON.stringify(await scene.sql(`select t::text from ${table} t`))),
    })),
  )
  const haystacks = [
    ...rows,
    { name: 'log', content: Buffer.from(scene.operator.log.join('\n')) },
    { name: 'metrics', content: Buffer.from(await scene.operator.registry.metrics()) },
    { name: 'resources', content: Buffer.from(await kubectl('get', 'pc', '-n', ns, '-o', 'yaml')) },
    {
      name: 'events',
      content: Buffer.from(await kubectl('get', 'events', '-n', ns, '-o', 'yaml')),
    },
  ]
  expect(whereIs('provider_credential.created', haystacks)).not.toEqual([])
  expect(values.length).toBeGreaterThan(5)
  for (const value of values) {
    for (const trace of traces(`x_${value}`)) expect(whereIs(trace, haystacks)).toEqual([])
  }
})
