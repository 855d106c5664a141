import { afterAll, beforeAll, expect, test } from 'vitest'
import { takeLeadership } from '../../src/db/leadership.ts'
import { referenceKey } from '../../src/k8s/object.ts'
import {
  anAPIKey,
  anOrganization,
  anRBACBinding,
  anRBACRole,
  aProject,
} from '../support/build/resource.ts'
import { apply, eventually, get, remove, whenReady } from '../support/kube.ts'
import { openScene, type Scene } from '../support/scene.ts'

let scene: Scene
let ns: string
beforeAll(async () => {
  scene = await openScene()
  ;({ ns } = scene)
  await apply(
    anOrganization(ns, 'acme'),
    aProject(ns, 'scanner'),
    anAPIKey(ns, 'ci'),
    anAPIKey(ns, 'leaving'),
  )
  for (const name of ['ci', 'leaving']) await whenReady('apikey', ns, name)
  // Another operator leads from here on, and the one of the scene, which was frozen, does not know.
  await takeLeadership(scene.operator.pool, 'test', 'another')
})
afterAll(() => scene.stop())

/** Every row but those of the leadership, with its version. */
const rows = async () => {
  const tables = [
    'organizations',
    'projects',
    'roles',
    'role_bindings',
    'api_keys',
    'api_key_secrets',
    'audit_events',
    'changes',
  ]
  const versions = tables.map(
    (table) => `select '${table}' as relation, ctid, xmin from cardea.${table}`,
  )
  return scene.sql(`${versions.join(' union all ')} order by 1, 2`)
}
/** Waits until some more writes were fenced off. */
const fencedOff = (before: number) =>
  eventually('a write that is fenced off', () =>
    scene.operator.fenced() > before ? true : undefined,
  )

const build = {
  organization: anOrganization,
  project: aProject,
  rbacrole: anRBACRole,
  rbacbinding: anRBACBinding,
  apikey: anAPIKey,
} as const

test.each(Object.entries(build))(
  '%s: what is new is not made, and nobody is told that it were',
  async (kind, make) => {
    const [before, fenced] = [await rows(), scene.operator.fenced()]
    await apply(make(ns, `new-${kind}`))
    await fencedOff(fenced)
    expect(await rows()).toEqual(before)
    const live = await get(kind, ns, `new-${kind}`)
    expect(live?.status).toEqual({ observedGeneration: -1 })
    expect(await get('secret', ns, `new-${kind}-secret`)).toBeUndefined()
  },
)

test('what is edited stays as it was, and its status says nothing of the edit', async () => {
  const [before, fenced, live] = [
    await rows(),
    scene.operator.fenced(),
    await get('apikey', ns, 'ci'),
  ]
  await apply(anAPIKey(ns, 'ci', { scopes: ['admin'] }))
  await fencedOff(fenced)
  expect(await rows()).toEqual(before)
  expect((await get('apikey', ns, 'ci'))?.status).toEqual(live?.status)
})

test('what is deleted keeps its finalizer, its record and its Secret', async () => {
  const [before, fenced] = [await rows(), scene.operator.fenced()]
  await remove('apikey', ns, 'leaving')
  await fencedOff(fenced)
  expect(await rows()).toEqual(before)
  expect((await get('apikey', ns, 'leaving'))?.metadata.finalizers).toEqual(['cardea.dev/apikey'])
  expect(await get('secret', ns, 'leaving-secret')).toBeDefined()
})

test('the pass ends as one of an operator that does not lead: without a word to anybody', async () => {
  scene.operator.manager.wake(referenceKey('APIKey', ns, 'ci'), 'a test')
  const line = await eventually('the log', () =>
    scene.operator.log.find((each) => each.includes('"type":"LeaseLostError"')),
  )
  expect(JSON.parse(line)).toMatchObject({ level: 20 })
  expect(scene.operator.log.filter((each) => JSON.parse(each).level > 30)).toEqual([])
})
