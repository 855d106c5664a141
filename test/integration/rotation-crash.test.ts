import { randomBytes } from 'node:crypto'
import { Pool } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { EncryptionKey } from '../../src/api/v1alpha1/encryptionkey.ts'
import { takeLeadership } from '../../src/db/leadership.ts'
import { DataKeys } from '../../src/encryption/datakeys.ts'
import { systemClock } from '../../src/k8s/clock.ts'
import { open } from '../../src/kms/envelope.ts'
import { Keyring } from '../../src/kms/keyring.ts'
import { apiKeyContext } from '../../src/operator/apikey/aad.ts'
import type { OperatorDependencies } from '../../src/operator/dependencies.ts'
import { Rotation } from '../../src/operator/rotation/rotation.ts'
import { sealedTables } from '../../src/operator/rotation/tables.ts'
import { anAPIKey, anOrganization, aProviderCredential } from '../support/build/resource.ts'
import { apply, kubectl, whenReady } from '../support/kube.ts'
import { Mortal } from '../support/mortal.ts'
import { memoryLogger } from '../support/runtime.ts'
import { openScene, type Scene } from '../support/scene.ts'
import { transitKey } from '../support/transitkey.ts'

const kek = transitKey('acme')
const defaultKey = { provider: 'vault', mount: 'transit', name: 'acme' } as const
const keyringWith = (key = kek): Keyring =>
  new Keyring({ defaultKey, open: () => key, allowed: [] })

let scene: Scene
let pool: Pool
let keys: readonly string[]
beforeAll(async () => {
  // It looks once, at its start, and leaves the rest to the lives below.
  scene = await openScene({ keyring: keyringWith(), pace: { loop: { every: 3_600_000 } } })
  const { ns } = scene
  pool = new Pool({ connectionString: scene.operator.database.operatorUrl, max: 4 })
  pool.on('error', () => {})
  await apply(anOrganization(ns, 'acme'))
  for (const name of ['a', 'b', 'c', 'd', 'e']) {
    const token = `--from-literal=token=sk-${name}-0123456789abcdef`
    await kubectl('create', 'secret', 'generic', name, token, '-n', ns)
    const valueFrom = { secretRef: { name, key: 'token' } }
    await apply(anAPIKey(ns, name), aProviderCredential(ns, name, { provider: name, valueFrom }))
    await whenReady('apikey', ns, name)
    await whenReady('providercredential', ns, name)
  }
  keys = await held()
})
afterAll(async () => {
  await pool.end()
  await scene.stop()
})

/** The secrets of all API keys, opened; each says the version that wrapped it. */
async function held(version?: string): Promise<readonly string[]> {
  const rows = await scene.sql(
    'select s.envelope, s.api_key_id from cardea_keys.api_key_secrets s order by s.id',
  )
  return Promise.all(
    rows.map(async ({ envelope, api_key_id }) => {
      if (version !== undefined) expect(envelope.kek.version).toBe(version)
      const context = apiKeyContext(scene.ns, envelope.aad.name, api_key_id)
      return (await open(keyringWith().of(scene.ns), envelope, context)).toString()
    }),
  )
}

const dataKeys = () =>
  scene.sql('select version, kek, retired_at from cardea_keys.data_keys order by version')
const sealedUnder = async () =>
  (
    await scene.sql(
      'select distinct data_key_version as version from cardea.provider_credential_versions',
    )
  ).map(({ version }) => version)

/** One operator's run, which is killed after so many calls. */
async function live(lifetime?: number): Promise<Mortal> {
  const process = new Mortal(lifetime)
  const fence = await takeLeadership(pool, 'test', 'a life')
  const keyring = keyringWith({ ...kek, ...process.kms(kek) })
  const deps = {
    pool: process.pool(pool),
    keyring,
    dataKeys: new DataKeys({ keyring, now: () => performance.now() }),
    installation: 'test',
    fence: () => fence,
    randomBytes,
  } as unknown as OperatorDependencies
  const rotation = new Rotation({
    deps,
    keys: () => [],
    keyOf: () => ({ spec: { rotation: { every: '90d' } } }) as unknown as EncryptionKey,
    wake: () => {},
    tables: sealedTables,
    clock: systemClock,
    random: () => 0,
    logger: memoryLogger(),
    bounds: { batch: 2, parallel: 1, rest: 0 },
  })
  const run = rotation.run(new AbortController().signal)
  await (lifetime === undefined ? run : expect(run).rejects.toThrow())
  return process
}

/** A new version of the KEK, and a data key whose time is over. */
async function becomeStale(): Promise<string> {
  kek.rotate()
  await scene.sql(
    `update cardea_keys.data_keys set created_at = now() - interval '91 days' where retired_at is null`,
  )
  return (await kek.describe()).version
}

async function expectComplete(version: string): Promise<void> {
  expect(await held(version)).toEqual(keys)
  const all = await dataKeys()
  expect(all.map((row) => [row.kek.version, row.retired_at])).toEqual([[version, null]])
  expect(await sealedUnder()).toEqual([all[0]?.version])
}

test('kill -9 at every call of a rotation: the next operator ends what was begun, and nothing is lost', async () => {
  const version = await becomeStale()
  const undisturbed = await live()
  await expectComplete(version)
  expect(undisturbed.calls.length).toBeGreaterThan(20)
  for (let made = 0; made < undisturbed.calls.length; made += 1) {
    const next = await becomeStale()
    const killed = await live(made)
    expect(killed.dead).toBe(true)
    // Whatever it left: everything opens.
    expect(await held()).toEqual(keys)
    await live()
    await expectComplete(next)
  }
}, 180_000)

test('a rotation that has nothing to do asks for the version of the key and writes nothing', async () => {
  await live()
  const [wraps, unwraps] = [kek.wraps, kek.unwraps]
  const { calls } = await live()
  expect(calls.filter((call) => call === 'describe')).toHaveLength(1)
  expect([kek.wraps, kek.unwraps]).toEqual([wraps, unwraps])
  expect(calls.some((call) => /update|insert|delete/.test(call))).toBe(false)
})
