import { afterAll, beforeAll, expect, test } from 'vitest'
import { anAPIKey, anOrganization, aProject } from '../support/build/resource.ts'
import { apply, eventually, patch, remove, whenGone, whenReady } from '../support/kube.ts'
import { openScene, type Scene } from '../support/scene.ts'

// Nothing but the deletion itself may wake anything here.
let scene: Scene
let ns: string
beforeAll(async () => {
  scene = await openScene({ resyncInterval: 3_600_000 })
  ;({ ns } = scene)
  await apply(anOrganization(ns, 'acme'), aProject(ns, 'scanner'))
})
afterAll(() => scene.stop())

const secretsOf = (id: string) =>
  scene.sql('select digest from cardea.api_key_secrets where api_key_id = $1', id)
const keyOf = async (id: string) =>
  (await scene.sql('select * from cardea.api_keys where id = $1', id))[0]

async function minted(name: string): Promise<string> {
  await apply(anAPIKey(ns, name))
  const { status } = await whenReady('apikey', ns, name)
  expect(await secretsOf(status.id)).toHaveLength(1)
  return status.id
}

const revoked = (id: string) =>
  eventually('the revocation', async () => ((await secretsOf(id)).length === 0 ? true : undefined))

test('a key whose finalizer was taken away while it was suspended is revoked when it is deleted', async () => {
  const id = await minted('suspended')
  await patch('apikey', ns, 'suspended', { spec: { suspend: true } })
  await patch('apikey', ns, 'suspended', { metadata: { finalizers: null } })
  await remove('apikey', ns, 'suspended')
  await whenGone('apikey', ns, 'suspended')
  await revoked(id)
  expect((await keyOf(id)).deleted_at).toBeInstanceOf(Date)
  await whenGone('secret', ns, 'suspended-secret')
})

test('so is one that goes in one request, and its policy is that of its last spec', async () => {
  const id = await minted('purged')
  await patch('apikey', ns, 'purged', { spec: { deletionPolicy: 'Delete', suspend: true } })
  await patch('apikey', ns, 'purged', {
    metadata: { finalizers: ['example.com/held'] },
  })
  await remove('apikey', ns, 'purged')
  expect(await secretsOf(id)).toHaveLength(1)
  await patch('apikey', ns, 'purged', { metadata: { finalizers: null } })
  await eventually('the purge', async () => ((await keyOf(id)) ? undefined : true))
  expect(await secretsOf(id)).toEqual([])
})

test('one that is made again under the name is in force', async () => {
  const before = await minted('again')
  await patch('apikey', ns, 'again', { spec: { suspend: true } })
  await patch('apikey', ns, 'again', { metadata: { finalizers: null } })
  await remove('apikey', ns, 'again')
  await apply(anAPIKey(ns, 'again'))
  const { status } = await whenReady('apikey', ns, 'again')
  expect(status.id).toBe(before)
  const key = await scene.unwrap('again-secret', status.id)
  expect(key).toMatch(/^ck_/)
  expect(await secretsOf(status.id)).toHaveLength(1)
})
