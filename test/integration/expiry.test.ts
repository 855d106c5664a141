import { afterAll, beforeAll, expect, test } from 'vitest'
import { anAPIKey, anOrganization } from '../support/build/resource.ts'
import { apply, eventually, get, messageOf, request, whenReady } from '../support/kube.ts'
import { openScene, type Scene } from '../support/scene.ts'

let scene: Scene
let ns: string
beforeAll(async () => {
  scene = await openScene({ resyncInterval: 3_600_000 })
  ;({ ns } = scene)
  await apply(anOrganization(ns, 'acme'))
})
afterAll(() => scene.stop())

const inSeconds = (seconds: number) =>
  `${new Date(Date.now() + seconds * 1000).toISOString().slice(0, 19)}Z`
const secrets = (name: string) =>
  scene.sql(
    `select s.id, s.created_at, s.expires_at from cardea.api_key_secrets s join cardea.api_keys k on k.id = s.api_key_id
     where k.name = $1 order by s.created_at`,
    name,
  )

test('a key expires on the second, and a later expiresAt brings the same key back', async () => {
  const expiresAt = inSeconds(3)
  await apply(anAPIKey(ns, 'brief', { expiresAt }))
  const { status } = await whenReady('apikey', ns, 'brief')
  expect(status).toMatchObject({ expiresAt, keys: [{ expiresAt, state: 'Active' }] })
  const key = await scene.unwrap('brief-secret', status.id)
  const expired = await whenReady('apikey', ns, 'brief', 'False', 'Expired')
  const late = Date.parse(expired.status.conditions[0].lastTransitionTime) - Date.parse(expiresAt)
  expect(late).toBeGreaterThanOrEqual(0)
  expect(late).toBeLessThanOrEqual(1000)
  await apply(anAPIKey(ns, 'brief', { expiresAt: inSeconds(3600) }))
  await whenReady('apikey', ns, 'brief')
  expect(await scene.unwrap('brief-secret', status.id)).toBe(key)
})

test('a rotation that is asked for of an expired key is not lost', async () => {
  await apply(anAPIKey(ns, 'waiting', { expiresAt: inSeconds(2) }))
  const { status } = await whenReady('apikey', ns, 'waiting')
  await whenReady('apikey', ns, 'waiting', 'False', 'Expired')
  await request('apikey', ns, 'waiting', 'rotate-requested-at', 'one')
  await request('apikey', ns, 'waiting', 'reconcile-requested-at', 'one')
  const expired = await eventually('the answer', async () => {
    const live = await get('apikey', ns, 'waiting')
    return live?.status.lastHandledReconcileAt === 'one' ? live : undefined
  })
  expect(expired.status.lastHandledRotateAt).toBeUndefined()
  await apply(anAPIKey(ns, 'waiting', { expiresAt: inSeconds(3600) }))
  const live = await whenReady('apikey', ns, 'waiting')
  expect(live.status.lastHandledRotateAt).toBe('one')
  expect(live.status.keys[0].id).not.toBe(status.keys[0].id)
})

test('of a key that has expired before it was made, nothing is made', async () => {
  await apply(anAPIKey(ns, 'past', { expiresAt: inSeconds(-60) }))
  const live = await whenReady('apikey', ns, 'past', 'False', 'Expired')
  expect(messageOf(live)).toContain('set a later time')
  expect(await scene.sql(`select 1 from cardea.api_keys where name = 'past'`)).toEqual([])
  expect(await get('secret', ns, 'past-secret')).toBeUndefined()
  await apply(anAPIKey(ns, 'past', { expiresAt: inSeconds(60) }))
  await whenReady('apikey', ns, 'past')
})

test('a key rotates on its schedule: for the overlap both work and are listed, then the former one ends', async () => {
  await apply(anAPIKey(ns, 'rotating', { rotation: { every: '1m', overlap: '2s' } }))
  const before = await whenReady('apikey', ns, 'rotating')
  const former = await scene.unwrap('rotating-secret', before.status.id)
  // A minute is the shortest that the schema admits: the secret is made older, as the operator itself would write it.
  await scene.sql(
    `with acting as (select set_config('cardea.actor', 'test', false))
     update cardea.api_key_secrets set created_at = created_at - interval '57 s' from acting where api_key_id = $1`,
    before.status.id,
  )
  await request('apikey', ns, 'rotating', 'reconcile-requested-at', 'one')
  const due = await eventually('the new schedule', async () => {
    const live = await get('apikey', ns, 'rotating')
    return live?.status.lastHandledReconcileAt === 'one' ? live.status.nextRotationAt : undefined
  })
  const during = await eventually('the rotation', async () => {
    const live = await get('apikey', ns, 'rotating')
    return live?.status.keys.length === 2 ? live : undefined
  })
  const [next, last] = during.status.keys
  expect(Date.parse(next.createdAt) - Date.parse(due)).toBeGreaterThanOrEqual(0)
  expect(Date.parse(next.createdAt) - Date.parse(due)).toBeLessThanOrEqual(1000)
  expect([next.state, last.state]).toEqual(['Active', 'Retiring'])
  expect(last.id).toBe(before.status.keys[0].id)
  expect(Date.parse(last.expiresAt) - Date.parse(next.createdAt)).toBe(2000)
  const key = await scene.unwrap('rotating-secret', before.status.id)
  expect(key).not.toBe(former)
  expect([next.lastFour, last.lastFour]).toEqual([key.slice(-4), former.slice(-4)])
  expect((await secrets('rotating')).map((row) => row.id)).toEqual([last.id, next.id])
  await eventually('the end of the overlap', async () =>
    (await get('apikey', ns, 'rotating'))?.status.keys.length === 1 ? true : undefined,
  )
  expect((await secrets('rotating')).map((row) => row.id)).toEqual([next.id])
})
