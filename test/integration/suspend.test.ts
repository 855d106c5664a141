import { afterAll, beforeAll, expect, test } from 'vitest'
import { digestApiKey } from '../../src/domain/apikey.ts'
import {
  anAPIKey,
  anOrganization,
  anRBACBinding,
  anRBACRole,
  aProject,
} from '../support/build/resource.ts'
import {
  apply,
  eventually,
  get,
  patch,
  remove,
  request,
  whenGone,
  whenReady,
} from '../support/kube.ts'
import { counted, openScene, type Scene } from '../support/scene.ts'

let scene: Scene
let ns: string
beforeAll(async () => {
  scene = await openScene()
  ;({ ns } = scene)
  await apply(anOrganization(ns, 'acme'))
})
afterAll(() => scene.stop())

const build = {
  organization: anOrganization,
  project: aProject,
  rbacrole: anRBACRole,
  rbacbinding: anRBACBinding,
  apikey: anAPIKey,
} as const
type Kind = keyof typeof build
/** A kind's table, an edit of its spec, and of its row by hand. */
const edits = [
  ['organization', 'organizations', { displayName: 'Edited' }, `display_name = 'by hand'`],
  ['project', 'projects', { displayName: 'Edited' }, `display_name = 'by hand'`],
  ['rbacrole', 'roles', { permissions: ['edited:read'] }, `permissions = '{by:hand}'`],
  ['rbacbinding', 'role_bindings', { role: 'auditor' }, `role = 'owner'`],
  ['apikey', 'api_keys', { scopes: ['edited'] }, `scopes = '{by-hand}'`],
] as const satisfies readonly (readonly [Kind, string, object, string])[]

/** Long enough for a wake-up that should not come. */
const aWhile = () => new Promise((resolve) => setTimeout(resolve, 700))

test.each(edits)(
  '%s: while it is suspended neither its spec, nor its record, nor its status moves',
  async (kind, table, edit, byHand) => {
    const name = `held-${kind}`
    const row = async () =>
      (await scene.sql(`select * from cardea.${table} where name = $1`, name))[0]
    await apply(build[kind](ns, name))
    const before = await whenReady(kind, ns, name)
    const rowBefore = await row()
    await apply(build[kind](ns, name, { ...edit, suspend: true }))
    await request(kind, ns, name, 'reconcile-requested-at', 'meanwhile')
    await aWhile()
    expect(await row()).toEqual(rowBefore)
    expect((await get(kind, ns, name))?.status).toEqual(before.status)
    await scene.sql(`update cardea.${table} set ${byHand} where name = $1`, name)
    const drifted = await row()
    await aWhile()
    expect(await row()).toEqual(drifted)
    await patch(kind, ns, name, { spec: { suspend: null } })
    const live = await eventually('the answer', async () => {
      const found = await whenReady(kind, ns, name)
      return found.status.lastHandledReconcileAt === 'meanwhile' ? found : undefined
    })
    expect(live.status.id).toBe(before.status.id)
    const after = JSON.stringify(await row())
    expect(after).toMatch(/edited|Edited|auditor/)
    expect(after).not.toMatch(/by hand|by:hand|by-hand|owner"/)
  },
)

test.each(edits)('%s: a suspended one is deleted all the same', async (kind) => {
  const name = `ended-${kind}`
  await apply(build[kind](ns, name))
  await whenReady(kind, ns, name)
  await patch(kind, ns, name, { spec: { suspend: true } })
  await remove(kind, ns, name)
  await whenGone(kind, ns, name)
})

test.each(edits)('%s: one that is made suspended is not begun', async (kind, table) => {
  const name = `unborn-${kind}`
  await apply(build[kind](ns, name, { suspend: true }))
  await aWhile()
  const live = await get(kind, ns, name)
  expect(live?.status).toEqual({ observedGeneration: -1 })
  expect(live?.metadata.finalizers).toBeUndefined()
  expect(await scene.sql(`select 1 from cardea.${table} where name = $1`, name)).toEqual([])
  await remove(kind, ns, name)
  await whenGone(kind, ns, name)
})

test("a suspended key's Secret is left as somebody made it, and put right afterwards", async () => {
  await apply(anAPIKey(ns, 'edited'))
  const { status } = await whenReady('apikey', ns, 'edited')
  const key = await scene.unwrap('edited-secret', status.id)
  await patch('apikey', ns, 'edited', { spec: { suspend: true } })
  await patch('secret', ns, 'edited-secret', { data: { envelope: 'AAAA' } })
  await scene.sql(
    `update cardea.api_key_secrets set digest = sha256('mine') where api_key_id = $1`,
    status.id,
  )
  await aWhile()
  expect((await get('secret', ns, 'edited-secret'))?.data).toEqual({ envelope: 'AAAA' })
  // What was changed by hand meanwhile is not forgotten; the row's envelope still has the key, and the Secret had it.
  await scene.sql(
    `update cardea.api_key_secrets set digest = $2 where api_key_id = $1`,
    status.id,
    digestApiKey(key),
  )
  await patch('apikey', ns, 'edited', { spec: { suspend: null } })
  await eventually('the repair', async () =>
    (await scene.unwrap('edited-secret', status.id).catch(() => '')) === key ? true : undefined,
  )
})

test('a rotation that is asked for of a suspended key is answered once it goes on, and once only', async () => {
  await apply(anAPIKey(ns, 'patient'))
  const before = await whenReady('apikey', ns, 'patient')
  await patch('apikey', ns, 'patient', { spec: { suspend: true } })
  await request('apikey', ns, 'patient', 'rotate-requested-at', 'one')
  await aWhile()
  expect((await get('apikey', ns, 'patient'))?.status.keys).toEqual(before.status.keys)
  await patch('apikey', ns, 'patient', { spec: { suspend: null } })
  const live = await eventually('the rotation', async () => {
    const found = await get('apikey', ns, 'patient')
    return found?.status.lastHandledRotateAt === 'one' ? found : undefined
  })
  expect(live.status.keys).toHaveLength(1)
  expect(live.status.keys[0].id).not.toBe(before.status.keys[0].id)
  await request('apikey', ns, 'patient', 'reconcile-requested-at', 'again')
  const again = await eventually('the answer', async () => {
    const found = await get('apikey', ns, 'patient')
    return found?.status.lastHandledReconcileAt === 'again' ? found : undefined
  })
  expect(again.status.keys).toEqual(live.status.keys)
  expect(await counted(scene.operator, 'controller_runtime_reconcile_errors_total', {})).toBe(0)
})
