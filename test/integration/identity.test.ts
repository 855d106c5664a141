import { isDeepStrictEqual } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  anAPIKey,
  anOrganization,
  anRBACBinding,
  anRBACRole,
  aProject,
} from '../support/build/resource.ts'
import { testCluster } from '../support/controlplane.ts'
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
import { testDatabase } from '../support/postgres.ts'
import { openScene, type Scene } from '../support/scene.ts'

// Nobody but the operator should be able to write a status. Should somebody be, it gets him nobody else's record.
let scene: Scene
let ns: string
beforeAll(async () => {
  scene = await openScene()
  ;({ ns } = scene)
  await apply(anOrganization(ns, 'victim'), anOrganization(ns, 'acme'))
  const of = { organizationRef: { name: 'victim' } }
  await apply(
    aProject(ns, 'victims', of),
    anRBACRole(ns, 'victims', of),
    anAPIKey(ns, 'victims', of),
    anRBACBinding(ns, 'victims', of),
  )
})
afterAll(() => scene.stop())

const build = {
  organization: anOrganization,
  project: aProject,
  rbacrole: anRBACRole,
  rbacbinding: anRBACBinding,
  apikey: anAPIKey,
} as const
const tables = {
  organization: 'organizations',
  project: 'projects',
  rbacrole: 'roles',
  rbacbinding: 'role_bindings',
  apikey: 'api_keys',
} as const
type Kind = keyof typeof tables
const kinds = Object.keys(tables) as Kind[]

const row = async (kind: Kind, id: string) =>
  (await scene.sql(`select * from cardea.${tables[kind]} where id = $1`, id))[0]
const victimOf = (kind: Kind) => whenReady(kind, ns, kind === 'organization' ? 'victim' : 'victims')

/** Has the operator look at a resource again, and waits until it has. */
let asked = 0
async function look(kind: Kind, name: string) {
  asked += 1
  const value = `look-${asked}`
  await request(kind, ns, name, 'reconcile-requested-at', value)
  return eventually(`the answer to ${value}`, async () => {
    const live = await whenReady(kind, ns, name)
    return live.status.lastHandledReconcileAt === value ? live : undefined
  })
}

test.each(kinds)(
  "%s: another tenant's id in the status is put right, and gets at nothing",
  async (kind) => {
    const victim = await victimOf(kind)
    const before = await row(kind, victim.status.id)
    await apply(build[kind](ns, `forger-${kind}`))
    const own = await whenReady(kind, ns, `forger-${kind}`)
    await patch(kind, ns, `forger-${kind}`, { status: { id: victim.status.id } }, 'status')
    expect((await look(kind, `forger-${kind}`)).status.id).toBe(own.status.id)
    expect(await row(kind, victim.status.id)).toEqual(before)
  },
)

test.each(kinds)(
  "%s: a record that was lost does not come back under another tenant's id",
  async (kind) => {
    const victim = await victimOf(kind)
    const before = await row(kind, victim.status.id)
    const name = `loser-${kind}`
    for (const id of [victim.status.id, 'no-id-at-all']) {
      await apply(build[kind](ns, name))
      const own = await whenReady(kind, ns, name)
      await apply(build[kind](ns, name, { suspend: true }))
      const forged = kind === 'apikey' ? { id, keys: null } : { id }
      await patch(kind, ns, name, { status: forged }, 'status')
      await scene.sql(`delete from cardea.${tables[kind]} where id = $1`, own.status.id)
      await apply(build[kind](ns, name, { suspend: false }))
      const live = await whenReady(kind, ns, name)
      expect(live.status.id).toMatch(/^[0-9a-f-]{36}$/)
      expect(live.status.id).not.toBe(victim.status.id)
      expect(await row(kind, live.status.id)).toBeDefined()
    }
    expect(await row(kind, victim.status.id)).toEqual(before)
  },
)

test("a purged tenant's id, and with it its audit trail, is not to be had", async () => {
  await apply(anOrganization(ns, 'purged', { deletionPolicy: 'Delete' }))
  const { id } = (await whenReady('organization', ns, 'purged')).status
  await remove('organization', ns, 'purged')
  await whenGone('organization', ns, 'purged')
  await apply(anOrganization(ns, 'heir', { suspend: true }))
  await patch('organization', ns, 'heir', { status: { id } }, 'status')
  await apply(anOrganization(ns, 'heir', { suspend: false }))
  expect((await whenReady('organization', ns, 'heir')).status.id).not.toBe(id)
})

test('keys that a status makes up bring nothing back and keep nothing alive', async () => {
  await apply(anAPIKey(ns, 'forged'))
  const own = await whenReady('apikey', ns, 'forged')
  const victim = await whenReady('apikey', ns, 'victims')
  const keys = [{ ...victim.status.keys[0], lastFour: 'AAAA' }]
  await patch('apikey', ns, 'forged', { status: { keys } }, 'status')
  await look('apikey', 'forged')
  await eventually('the status without it', async () => {
    const live = await get('apikey', ns, 'forged')
    return isDeepStrictEqual(live?.status.keys, own.status.keys) ? true : undefined
  })
  expect(
    await scene.sql('select id from cardea.api_key_secrets where api_key_id = $1', own.status.id),
  ).toEqual([{ id: own.status.keys[0].id }])
})

test('in a cluster that was restored without statuses a key is the same, and its Secret is delivered again', async () => {
  const database = await testDatabase()
  const place = await testCluster().namespace()
  const before = await openScene({ namespaces: [place], database })
  const manifests = [
    anOrganization(place, 'restored'),
    anAPIKey(place, 'ci', { organizationRef: { name: 'restored' } }),
  ]
  await apply(...manifests)
  const { status } = await whenReady('apikey', place, 'ci')
  const key = await before.unwrap('ci-secret', status.id)
  await before.stop()
  // No operator sees how these go: their records stay, and the garbage collector takes the Secret.
  for (const [kind, name] of [
    ['apikey', 'ci'],
    ['organization', 'restored'],
  ] as const) {
    await patch(kind, place, name, { metadata: { finalizers: null } })
    await remove(kind, place, name)
    await whenGone(kind, place, name)
  }
  await apply(...manifests)
  const after = await openScene({ namespaces: [place], database })
  const live = await whenReady('apikey', place, 'ci')
  expect(live.status).toMatchObject({ id: status.id, keys: status.keys, prefix: 'ck' })
  await eventually('the Secret', async () =>
    (await after.unwrap('ci-secret', status.id).catch(() => '')) === key ? true : undefined,
  )
  await after.stop()
  await database.drop()
})
