import { afterAll, beforeAll, expect, test } from 'vitest'
import { apiKeyEntropy, digestApiKey, mintApiKey } from '../../src/domain/apikey.ts'
import { check } from '../support/ask.ts'
import {
  anAPIKey,
  anOrganization,
  anRBACBinding,
  anRBACRole,
  aProject,
} from '../support/build/resource.ts'
import { testCluster } from '../support/controlplane.ts'
import { apply, eventually, get, kubectl, whenReady } from '../support/kube.ts'
import { metric } from '../support/program.ts'
import { type System, startSystem } from '../support/system.ts'

/** Milliseconds within which what somebody changed by hand is put right. */
const promise = 10_000
const planted = mintApiKey('ck', Buffer.alloc(apiKeyEntropy, 9))

let ns: string
let system: System
let key: string

beforeAll(async () => {
  ns = await testCluster().namespace()
  system = await startSystem({ namespaces: [ns] })
  await apply(
    anOrganization(ns, 'acme'),
    aProject(ns, 'scanner'),
    anRBACRole(ns, 'reader'),
    anRBACBinding(ns, 'leads'),
    anAPIKey(ns, 'ci', { projectRef: { name: 'scanner' } }),
  )
  for (const [kind, name] of resources) await whenReady(kind, ns, name)
  key = await system.unwrap(ns, 'ci')
  await eventually('the key is known', async () => ((await asked()) === 200 ? true : undefined))
})
afterAll(() => system.stop())

const resources = [
  ['organization', 'acme'],
  ['project', 'scanner'],
  ['rbacrole', 'reader'],
  ['rbacbinding', 'leads'],
  ['apikey', 'ci'],
] as const

const asked = (query = '') => check(system.auth.url, key, query)

/** How often the operator says that it repaired something. */
async function repairs(kind: string, where: string): Promise<number> {
  const counts = await metric(system.operator, 'cardea_drift_repairs_total')
  return counts.get(`{kind="${kind}",where="${where}"}`) ?? 0
}

/** Whether the events tell of a repair of this, as `kubectl get events` shows them. */
async function isTold(name: string, note: string): Promise<boolean> {
  const events = await kubectl(
    'get',
    'events',
    `--namespace=${ns}`,
    `--field-selector=involvedObject.name=${name}`,
    '--output=jsonpath={range .items[?(@.reason=="DriftRepaired")]}{.type} {.message}{"\\n"}{end}',
  )
  const lines = events.split('\n')
  return lines.some((line) => line.startsWith('Warning') && line.includes(note))
}

/** Changes something and waits until it is put right, told and counted. */
async function repaired(
  [kind, name, where]: readonly [kind: string, name: string, where: string],
  note: string,
  change: () => Promise<unknown>,
  isRight: () => Promise<boolean>,
): Promise<void> {
  const before = await repairs(kind, where)
  await change()
  const started = performance.now()
  await eventually('it is right', async () => ((await isRight()) ? true : undefined), promise)
  const took = performance.now() - started
  await eventually(
    'it is told',
    async () => ((await isTold(name, note)) ? true : undefined),
    promise - took,
  )
  expect(await repairs(kind, where)).toBeGreaterThan(before)
  console.info(`${kind}, ${where}: right again after ${took.toFixed(0)} ms`)
}

const rows = [
  ['organizations', 'Organization', 'acme', `display_name = 'Evil'`, 'displayName'],
  ['organizations', 'Organization', 'acme', `deleted_at = now()`, 'deletedAt'],
  ['projects', 'Project', 'scanner', `display_name = 'Evil'`, 'displayName'],
  ['roles', 'RBACRole', 'reader', `permissions = '{*:*}'`, 'permissions'],
  ['role_bindings', 'RBACBinding', 'leads', `role = 'owner'`, 'role'],
  ['api_keys', 'APIKey', 'ci', `scopes = '{scans:read,scans:delete}'`, 'scopes'],
  ['api_keys', 'APIKey', 'ci', `expires_at = '2001-01-01'`, 'expiresAt'],
  ['api_keys', 'APIKey', 'ci', `deleted_at = now()`, 'deletedAt'],
] as const

test.each(rows)('a row of %s for %s "%s" is repaired after %s', async (...row) => {
  const [table, kind, name, change, field] = row
  const read = () => system.sql(`select t::text from cardea.${table} t where name = '${name}'`)
  const right = await read()
  await repaired(
    [kind, name, 'row'],
    field,
    () => system.sql(`update cardea.${table} set ${change} where name = '${name}'`),
    async () => JSON.stringify(await read()) === JSON.stringify(right),
  )
  await whenReady(kind.toLowerCase(), ns, name)
  await eventually('the replica follows', async () =>
    (await asked('?scope=scans:read')) === 200 && (await asked('?scope=scans:delete')) === 403
      ? true
      : undefined,
  )
})

test('a key that somebody writes into the table is removed', async () => {
  const insert = `insert into cardea.api_key_secrets (organization_id, api_key_id, digest, source)
    select organization_id, id, $1, 'minted' from cardea.api_keys where name = 'ci'`
  await repaired(
    ['APIKey', 'ci', 'row'],
    'were not minted by Cardea',
    () => system.sql(insert, digestApiKey(planted)),
    async () => (await check(system.auth.url, planted)) === 401 && (await asked()) === 200,
  )
})

test('a digest that somebody puts in the place of the key’s is put right', async () => {
  await repaired(
    ['APIKey', 'ci', 'row'],
    'lost or altered',
    () => system.sql('update cardea.api_key_secrets set digest = $1', digestApiKey(planted)),
    async () => (await check(system.auth.url, planted)) === 401 && (await asked()) === 200,
  )
})

test('a row that is deleted with psql comes back with the same id and the same key', async () => {
  const read = async () => {
    const [row] = await system.sql(`select id, created_at from cardea.api_keys where name = 'ci'`)
    return { id: row?.id, at: Number(row?.created_at) }
  }
  const { id, at } = await read()
  await repaired(
    ['APIKey', 'ci', 'row'],
    'lost or altered',
    () => system.sql(`delete from cardea.api_keys where name = 'ci'`),
    async () => (await read()).at > at && (await asked()) === 200,
  )
  expect((await read()).id).toBe(id)
  expect(await system.unwrap(ns, 'ci')).toBe(key)
  await whenReady('apikey', ns, 'ci')
})

const nothing = Buffer.from('{}').toString('base64')
const edits: readonly [what: string, note: string, ...args: string[]][] = [
  ['content is changed', 'data', 'patch', `-p={"data":{"envelope":"${nothing}"}}`],
  ['content is taken away', 'data', 'patch', '-p={"data":null}'],
  ['content is added to', 'data', 'patch', '-p={"data":{"key":"bm90aGluZw=="}}'],
  ['labels are taken away', 'labels', 'patch', '-p={"metadata":{"labels":null}}'],
  ['owner is taken away', 'owner', 'patch', '-p={"metadata":{"ownerReferences":null}}'],
  ['very self is deleted', 'was gone', 'delete'],
]

test.each(edits)('a Secret whose %s with kubectl is repaired', async (_, note, ...args) => {
  const [verb = '', ...more] = args
  const read = async () => {
    const { data, type, metadata } = (await get('secret', ns, 'ci-secret')) ?? {}
    return JSON.stringify([data, type, metadata?.labels, metadata?.ownerReferences])
  }
  const right = await read()
  await repaired(
    ['APIKey', 'ci', 'secret'],
    note,
    () => kubectl(verb, 'secret', 'ci-secret', '-n', ns, ...more),
    async () => (await read()) === right,
  )
  expect(await system.unwrap(ns, 'ci')).toBe(key)
  expect(await asked()).toBe(200)
  await whenReady('apikey', ns, 'ci')
})

test('all of it is in the audit trail, each as the operator’s', async () => {
  const events = await system.sql<{ action: string; actor_kind: string }>(
    `select distinct action, actor_kind from cardea.audit_events where action like '%drift_repaired' order by action`,
  )
  expect(events).toEqual(
    ['api_key', 'organization', 'project', 'role', 'role_binding'].map((concept) => ({
      action: `${concept}.drift_repaired`,
      actor_kind: 'operator',
    })),
  )
})
