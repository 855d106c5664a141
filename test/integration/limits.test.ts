import { afterAll, beforeAll, expect, test } from 'vitest'
import { anAPIKey, anOrganization, aProject } from '../support/build/resource.ts'
import {
  apply,
  eventually,
  get,
  messageOf,
  remove,
  request,
  whenGone,
  whenReady,
} from '../support/kube.ts'
import { openScene, type Scene } from '../support/scene.ts'

let scene: Scene
let ns: string
beforeAll(async () => {
  scene = await openScene({ resyncInterval: 3_600_000 })
  ;({ ns } = scene)
})
afterAll(() => scene.stop())

const of = (organization: string) => ({ organizationRef: { name: organization } })
const numbered = (name: string) => Array.from({ length: 5 }, (_, at) => `${name}-${at}`)

/** How many of some resources are Ready and how many say that the quota is used up, once all have said something. */
async function settled(kind: string, names: readonly string[]): Promise<[number, number]> {
  const reasons = await Promise.all(
    names.map((name) =>
      eventually(`${kind} ${name} says something`, async () => {
        const live = await get(kind, ns, name)
        return live?.status.conditions?.find((one: { type: string }) => one.type === 'Ready').reason
      }),
    ),
  )
  const count = (reason: string) => reasons.filter((each) => each === reason).length
  return [count('Succeeded'), count('QuotaExceeded')]
}
const liveRows = async (table: string, prefix: string) =>
  (
    await scene.sql(
      `select 1 from cardea.${table} where name like $1 and deleted_at is null`,
      `${prefix}-%`,
    )
  ).length

test('of five projects at once an Organization gets exactly as many as its quota, and the rest when it is raised', async () => {
  await apply(anOrganization(ns, 'few-projects', { quotas: { projects: 2 } }))
  await whenReady('organization', ns, 'few-projects')
  const names = numbered('p')
  await Promise.all(names.map((name) => apply(aProject(ns, name, of('few-projects')))))
  expect(await settled('project', names)).toEqual([2, 3])
  expect(await liveRows('projects', 'p')).toBe(2)
  await apply(anOrganization(ns, 'few-projects', { quotas: { projects: 5 } }))
  for (const name of names) await whenReady('project', ns, name)
})

test('of five keys at once an Organization gets exactly as many as its quota', async () => {
  await apply(anOrganization(ns, 'few-keys', { quotas: { apiKeys: 3 } }))
  await whenReady('organization', ns, 'few-keys')
  const names = numbered('k')
  await Promise.all(names.map((name) => apply(anAPIKey(ns, name, of('few-keys')))))
  expect(await settled('apikey', names)).toEqual([3, 2])
  expect(await liveRows('api_keys', 'k')).toBe(3)
  const refused = (await Promise.all(names.map((name) => get('apikey', ns, name)))).find(
    (live) => live?.status.id === undefined,
  )
  expect(messageOf(refused)).toContain('raise spec.quotas.apiKeys there, or delete a key')
  expect(await get('secret', ns, `${refused?.metadata.name}-secret`)).toBeUndefined()
})

test('of five keys at once a Project gets exactly as many as its own quota', async () => {
  await apply(
    anOrganization(ns, 'roomy', { quotas: { apiKeys: 100 } }),
    aProject(ns, 'narrow', { ...of('roomy'), overrides: { quotas: { apiKeys: 1 } } }),
  )
  await whenReady('project', ns, 'narrow')
  const names = numbered('q')
  const spec = { ...of('roomy'), projectRef: { name: 'narrow' } }
  await Promise.all(names.map((name) => apply(anAPIKey(ns, name, spec))))
  expect(await settled('apikey', names)).toEqual([1, 4])
  expect(await liveRows('api_keys', 'q')).toBe(1)
})

test('what a deletion retained fits in the quota too when it is taken up again', async () => {
  await apply(anOrganization(ns, 'full', { quotas: { projects: 1, apiKeys: 1 } }))
  const kinds = [
    ['project', aProject],
    ['apikey', anAPIKey],
  ] as const
  for (const [kind, build] of kinds) {
    await apply(build(ns, `was-${kind}`, of('full')))
    await whenReady(kind, ns, `was-${kind}`)
    await remove(kind, ns, `was-${kind}`)
    await whenGone(kind, ns, `was-${kind}`)
    await apply(build(ns, `is-${kind}`, of('full')))
    await whenReady(kind, ns, `is-${kind}`)
    await apply(build(ns, `was-${kind}`, of('full')))
    await whenReady(kind, ns, `was-${kind}`, 'False', 'QuotaExceeded')
    await remove(kind, ns, `is-${kind}`)
    await whenGone(kind, ns, `is-${kind}`)
    await request(kind, ns, `was-${kind}`, 'reconcile-requested-at', 'now')
    await whenReady(kind, ns, `was-${kind}`)
  }
})

test('a quota that is lowered takes nothing away', async () => {
  await apply(anOrganization(ns, 'shrinking', { quotas: { apiKeys: 2 } }))
  for (const name of ['s-0', 's-1']) {
    await apply(anAPIKey(ns, name, of('shrinking')))
    await whenReady('apikey', ns, name)
  }
  await apply(anOrganization(ns, 'shrinking', { quotas: { apiKeys: 1 } }))
  await whenReady('organization', ns, 'shrinking')
  await request('apikey', ns, 's-1', 'reconcile-requested-at', 'now')
  await eventually('the answer', async () =>
    (await get('apikey', ns, 's-1'))?.status.lastHandledReconcileAt === 'now' ? true : undefined,
  )
  for (const name of ['s-0', 's-1']) await whenReady('apikey', ns, name)
})

test('a key lives no longer than its Organization lets it', async () => {
  await apply(anOrganization(ns, 'strict', { apiKeys: { maxLifetime: '30d' } }))
  const inDays = (days: number) =>
    `${new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 19)}Z`
  const rows = [
    ['for-ever', undefined],
    ['long', inDays(31)],
  ] as const
  for (const [name, expiresAt] of rows) {
    await apply(anAPIKey(ns, name, { ...of('strict'), ...(expiresAt && { expiresAt }) }))
    const live = await whenReady('apikey', ns, name, 'False', 'LifetimeTooLong')
    expect(messageOf(live)).toMatch(/set spec.expiresAt to 20[0-9-]+T[0-9:.]+Z or earlier/)
    expect(live.status.id).toBeUndefined()
  }
  await apply(anAPIKey(ns, 'long', { ...of('strict'), expiresAt: inDays(29) }))
  await whenReady('apikey', ns, 'long')
  await apply(anOrganization(ns, 'strict', { apiKeys: { maxLifetime: '3650d' } }))
  await whenReady('apikey', ns, 'for-ever', 'False', 'LifetimeTooLong')
  await apply(anOrganization(ns, 'strict'))
  await whenReady('apikey', ns, 'for-ever')
})

test('a plain Secret that the operator does not allow is not made', async () => {
  await apply(anOrganization(ns, 'plain'))
  const secretRef = { name: 'plain-secret', format: 'Plain' }
  await apply(anAPIKey(ns, 'plain', { ...of('plain'), secretRef }))
  const live = await whenReady('apikey', ns, 'plain', 'False', 'PlainSecretNotAllowed')
  expect(messageOf(live)).toContain('set CARDEA_ALLOW_PLAIN_SECRETS to true')
  expect(await get('secret', ns, 'plain-secret')).toBeUndefined()
  await apply(anAPIKey(ns, 'plain', { ...of('plain'), secretRef: { name: 'plain-secret' } }))
  await whenReady('apikey', ns, 'plain')
})
