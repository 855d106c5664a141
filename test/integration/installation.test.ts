import { afterAll, beforeAll, expect, test } from 'vitest'
import { anAPIKey, anOrganization, aProject } from '../support/build/resource.ts'
import { testCluster } from '../support/controlplane.ts'
import { apply, eventually, get, messageOf, remove, whenGone, whenReady } from '../support/kube.ts'
import { startOperator, type TestOperator } from '../support/operator.ts'
import { query, type TestDatabase, testDatabase } from '../support/postgres.ts'

// Two installations share a database: each has its own namespaces, or, by somebody's mistake, the same.
let database: TestDatabase
let east: TestOperator
let west: TestOperator
const namespaces = { east: '', west: '', both: '' }
beforeAll(async () => {
  database = await testDatabase()
  for (const name of ['east', 'west', 'both'] as const) {
    namespaces[name] = await testCluster().namespace()
  }
  const start = (installation: 'east' | 'west') =>
    startOperator({
      installation,
      database,
      namespaces: [namespaces[installation], namespaces.both],
      resyncInterval: 2000,
    })
  east = await start('east')
  west = await start('west')
})
afterAll(async () => {
  await east.stop()
  await west.stop()
  await database.drop()
})

const owners = (table: string) =>
  query(
    database.superuserUrl,
    `select name, owner_installation, owner_namespace from cardea.${table} order by name, owner_installation`,
  )

test('the name of an Organization is one in the database, and a conflict names the installation that has it', async () => {
  await apply(anOrganization(namespaces.east, 'acme'))
  await whenReady('organization', namespaces.east, 'acme')
  await apply(anOrganization(namespaces.west, 'acme', { adoptionPolicy: 'IfUnowned' }))
  const live = await whenReady('organization', namespaces.west, 'acme', 'False', 'Conflict')
  expect(messageOf(live)).toContain(
    `belongs to Organization ${namespaces.east}/acme of installation east`,
  )
  await remove('organization', namespaces.west, 'acme')
  await whenGone('organization', namespaces.west, 'acme')
  await whenReady('organization', namespaces.east, 'acme')
  expect(await owners('organizations')).toEqual([
    { name: 'acme', owner_installation: 'east', owner_namespace: namespaces.east },
  ])
})

test('the same names of everything else are no conflict in two Organizations', async () => {
  await apply(anOrganization(namespaces.west, 'globex'))
  const rows = [
    [namespaces.east, 'acme'],
    [namespaces.west, 'globex'],
  ] as const
  for (const [ns, name] of rows) {
    const of = { organizationRef: { name } }
    await apply(aProject(ns, 'scanner', of), anAPIKey(ns, 'ci', of))
    await whenReady('project', ns, 'scanner')
    await whenReady('apikey', ns, 'ci')
  }
  expect((await owners('api_keys')).length).toBe(2)
})

test('over a namespace that both watch they do not fight: the first has the records, and keeps them', async () => {
  await apply(
    anOrganization(namespaces.both, 'shared'),
    aProject(namespaces.both, 'shared', { organizationRef: { name: 'shared' } }),
  )
  const owner = async () => {
    const rows = (await owners('organizations')) as { name: string; owner_installation: string }[]
    return rows.find(({ name }) => name === 'shared')?.owner_installation
  }
  const first = await eventually('an owner', owner)
  const version = async () =>
    query(
      database.superuserUrl,
      `select xmin, ctid from cardea.organizations where name = 'shared' union all select xmin, ctid from cardea.projects where name = 'shared'`,
    )
  await eventually('both records', async () => ((await version()).length === 2 ? true : undefined))
  const before = await version()
  // Both have looked again, by their resync and because they are asked to.
  await new Promise((resolve) => setTimeout(resolve, 5000))
  expect(await owner()).toBe(first)
  expect(await version()).toEqual(before)
  expect((await get('organization', namespaces.both, 'shared'))?.metadata.finalizers).toHaveLength(
    1,
  )
})
