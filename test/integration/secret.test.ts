import { afterAll, beforeAll, expect, test } from 'vitest'
import { digestApiKey } from '../../src/domain/apikey.ts'
import { SECRETS } from '../../src/k8s/secret.ts'
import { anAPIKey, anOrganization } from '../support/build/resource.ts'
import {
  admin,
  apply,
  eventually,
  get,
  messageOf,
  patch,
  remove,
  whenGone,
  whenReady,
} from '../support/kube.ts'
import { openScene, type Scene } from '../support/scene.ts'

let scene: Scene
let ns: string
beforeAll(async () => {
  scene = await openScene({ resyncInterval: 3_600_000, allowPlainSecrets: true })
  ;({ ns } = scene)
  await apply(anOrganization(ns, 'acme'))
})
afterAll(() => scene.stop())

/** The digests of a key, in hexadecimal, the current one last. */
const digests = async (name: string): Promise<string[]> => {
  const rows = await scene.sql(
    `select encode(s.digest, 'hex') as digest from cardea.api_key_secrets s join cardea.api_keys k on k.id = s.api_key_id
     where k.name = $1 order by s.created_at`,
    name,
  )
  return rows.map((row) => row.digest)
}
const hex = (key: string) => digestApiKey(key).toString('hex')
const plain = async (name: string) =>
  Buffer.from((await get('secret', ns, name))?.data?.['key'] ?? '', 'base64').toString()
const aSecretOf = (name: string, more: object = {}) =>
  admin().create(
    SECRETS,
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name, namespace: ns, ...more },
      stringData: { mine: 'precious' },
    },
    { fieldManager: 'user' },
  )

test("a Secret of somebody else's is left as it is, and the key says what to do", async () => {
  // The label of a digest on it is of no use to a forger either.
  await aSecretOf('theirs', { labels: { 'cardea.dev/digest': 'ab'.repeat(20) } })
  const before = await get('secret', ns, 'theirs')
  await apply(anAPIKey(ns, 'intruder', { secretRef: { name: 'theirs' } }))
  const live = await whenReady('apikey', ns, 'intruder', 'False', 'SecretConflict')
  expect(messageOf(live)).toContain('choose another spec.secretRef.name')
  await remove('apikey', ns, 'intruder')
  await whenGone('apikey', ns, 'intruder')
  expect(await get('secret', ns, 'theirs')).toEqual(before)
})

test('of two keys that name one Secret the second waits, and gets it when the first lets go', async () => {
  const secretRef = { name: 'shared' }
  await apply(anAPIKey(ns, 'first', { secretRef }))
  const first = await whenReady('apikey', ns, 'first')
  const key = await scene.unwrap('shared', first.status.id)
  await apply(anAPIKey(ns, 'second', { secretRef }))
  await whenReady('apikey', ns, 'second', 'False', 'SecretConflict')
  expect(await scene.unwrap('shared', first.status.id)).toBe(key)
  await apply(anAPIKey(ns, 'first', { secretRef: { name: 'own' } }))
  await whenReady('apikey', ns, 'first')
  const second = await whenReady('apikey', ns, 'second')
  expect(await scene.unwrap('own', first.status.id)).toBe(key)
  expect(await digests('second')).toEqual([hex(await scene.unwrap('shared', second.status.id))])
})

test('another secretRef.name moves the same key, sealed anew for the new name alone', async () => {
  await apply(anAPIKey(ns, 'moved'))
  const { status } = await whenReady('apikey', ns, 'moved')
  const key = await scene.unwrap('moved-secret', status.id)
  const former = await get('secret', ns, 'moved-secret')
  await apply(anAPIKey(ns, 'moved', { secretRef: { name: 'elsewhere' } }))
  await whenReady('apikey', ns, 'moved')
  expect(await scene.unwrap('elsewhere', status.id)).toBe(key)
  expect(await digests('moved')).toEqual([hex(key)])
  await whenGone('secret', ns, 'moved-secret')
  expect((await get('secret', ns, 'elsewhere'))?.data).not.toEqual(former?.data)
})

test('an envelope that is copied to another Secret does not open there', async () => {
  await apply(anAPIKey(ns, 'copied'))
  const { status } = await whenReady('apikey', ns, 'copied')
  await aSecretOf('copy')
  await patch('secret', ns, 'copy', { data: (await get('secret', ns, 'copied-secret'))?.data })
  await expect(scene.unwrap('copy', status.id)).rejects.toMatchObject({ code: 'refused' })
})

test('Envelope and Plain can be had in turn, and the key stays the same', async () => {
  const secretRef = { name: 'both' }
  await apply(anAPIKey(ns, 'both', { secretRef }))
  const { status } = await whenReady('apikey', ns, 'both')
  const key = await scene.unwrap('both', status.id)
  await apply(anAPIKey(ns, 'both', { secretRef: { ...secretRef, format: 'Plain' } }))
  await eventually('the plain Secret', async () =>
    (await plain('both')) === key ? true : undefined,
  )
  await whenReady('apikey', ns, 'both')
  expect((await get('secret', ns, 'both'))?.type).toBe('Opaque')
  expect(Object.keys((await get('secret', ns, 'both'))?.data ?? {})).toEqual(['key'])
  await patch('secret', ns, 'both', { data: { key: 'AAAA' } })
  await eventually('its repair', async () => ((await plain('both')) === key ? true : undefined))
  await apply(anAPIKey(ns, 'both', { secretRef: { ...secretRef, format: 'Envelope' } }))
  await eventually('the envelope', async () =>
    (await get('secret', ns, 'both'))?.type === 'cardea.dev/envelope' ? true : undefined,
  )
  await whenReady('apikey', ns, 'both')
  expect(await scene.unwrap('both', status.id)).toBe(key)
  expect(await digests('both')).toEqual([hex(key)])
})

test('from secretRef to digest and back: only what the spec asks for is accepted', async () => {
  const elsewhere = digestApiKey('minted-elsewhere-0123456789').toString('hex')
  await apply(anAPIKey(ns, 'switched'))
  const minted = await whenReady('apikey', ns, 'switched')
  const key = await scene.unwrap('switched-secret', minted.status.id)
  await apply({
    ...anAPIKey(ns, 'switched', { digest: { sha256: elsewhere } }),
  })
  const imported = await whenReady('apikey', ns, 'switched')
  expect(await digests('switched')).toEqual([elsewhere])
  expect(imported.status.secretName).toBeUndefined()
  expect(imported.status.prefix).toBeUndefined()
  await whenGone('secret', ns, 'switched-secret')
  await apply(anAPIKey(ns, 'switched'))
  const again = await whenReady('apikey', ns, 'switched')
  const next = await scene.unwrap('switched-secret', again.status.id)
  expect(next).not.toBe(key)
  expect(await digests('switched')).toEqual([hex(next)])
  expect(again.status.keys).toMatchObject([{ lastFour: next.slice(-4), state: 'Active' }])
  expect(again.status.id).toBe(minted.status.id)
})
