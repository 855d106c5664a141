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
import { apply, eventually, get, kubectl, type Live, request, whenReady } from '../support/kube.ts'
import { query, testDatabase } from '../support/postgres.ts'
import { counted, openScene, type Scene } from '../support/scene.ts'

let scene: Scene
let ns: string
const of = { organizationRef: { name: 'organization' } }
const resources = () => ({
  Organization: anOrganization(ns, 'organization', { domains: ['acme.example'] }),
  Project: aProject(ns, 'project', of),
  RBACRole: anRBACRole(ns, 'rbacrole', of),
  APIKey: anAPIKey(ns, 'apikey', { ...of, rotation: { every: '90d', overlap: '24h' } }),
  RBACBinding: anRBACBinding(ns, 'rbacbinding', of),
})
type Kind = keyof ReturnType<typeof resources>
const live = {} as Record<Kind, Live>

// A resync would hide a change that nobody told of.
beforeAll(async () => {
  scene = await openScene({ resyncInterval: 3_600_000 })
  ;({ ns } = scene)
  await apply(...Object.values(resources()))
  for (const kind of Object.keys(resources()) as Kind[]) {
    live[kind] = await whenReady(kind, ns, kind.toLowerCase())
  }
})
afterAll(() => scene.stop())

const tables = {
  Organization: 'organizations',
  Project: 'projects',
  RBACRole: 'roles',
  RBACBinding: 'role_bindings',
  APIKey: 'api_keys',
} as const

const record = async (kind: Kind) => {
  const [row] = await scene.sql(
    `select * from cardea.${tables[kind]} where id = $1`,
    live[kind].status.id,
  )
  // A row that is made anew has a new time of creation.
  if (row) row.created_at = undefined
  return row
}
const repairs = (kind: Kind) =>
  counted(scene.operator, 'cardea_drift_repairs_total', { kind, where: 'row' })
const eventsOf = async (kind: Kind): Promise<string> =>
  kubectl(
    'get',
    'events.events.k8s.io',
    '-n',
    ns,
    '-o',
    `jsonpath={range .items[?(@.regarding.kind=="${kind}")]}{.reason} {.note}{"\\n"}{end}`,
  )

test.each([
  ['Organization', `display_name = 'x'`, 'displayName'],
  ['Organization', `settings = '{"quotas": {"apiKeys": 1000000}}'`, 'settings'],
  ['Organization', `domains = '{evil.example}', owners = '{eve@evil.example}'`, 'domains, owners'],
  ['Organization', 'deleted_at = now()', 'deletedAt'],
  ['Organization', `name = 'renamed'`, 'name'],
  ['Project', `display_name = 'x', description = 'y'`, 'displayName, description'],
  ['Project', 'deleted_at = now()', 'deletedAt'],
  ['Project', `name = 'renamed'`, 'name'],
  ['RBACRole', `permissions = '{*:*}'`, 'permissions'],
  ['RBACRole', `name = 'renamed'`, 'name'],
  ['RBACBinding', `role = 'owner'`, 'role'],
  ['RBACBinding', `subjects = '[{"kind": "User", "name": "eve@evil.example"}]'`, 'subjects'],
  ['APIKey', `scopes = '{admin}', expires_at = '2099-01-01'`, 'scopes, expiresAt'],
  [
    'APIKey',
    `allowed_cidrs = '{0.0.0.0/0}', allowed_origins = '{https://evil.example}'`,
    'allowedCidrs, allowedOrigins',
  ],
  [
    'APIKey',
    'rate_limit_requests = 1, rate_limit_window = 1',
    'rateLimitRequests, rateLimitWindow',
  ],
  ['APIKey', 'deleted_at = now()', 'deletedAt'],
  ['APIKey', `name = 'renamed'`, 'name'],
] as const)(
  '%s: a row with %s is put right, with an event and a count',
  async (kind, edit, fields) => {
    const [before, count] = [await record(kind), await repairs(kind)]
    await scene.sql(`update cardea.${tables[kind]} set ${edit} where id = $1`, live[kind].status.id)
    await eventually(
      'the count of the repair',
      async () => ((await repairs(kind)) > count ? true : undefined),
      10_000,
    )
    expect(await record(kind)).toEqual(before)
    expect(await repairs(kind)).toBe(count + 1)
    await eventually('the event', async () =>
      (await eventsOf(kind)).includes(
        `DriftRepaired The record differed from the spec in ${fields}`,
      )
        ? true
        : undefined,
    )
  },
)

test.each(['Project', 'RBACRole', 'RBACBinding', 'APIKey'] as const)(
  '%s: a row that was deleted comes back as it was, under its id',
  async (kind) => {
    const before = await record(kind)
    await scene.sql(`delete from cardea.${tables[kind]} where id = $1`, live[kind].status.id)
    await eventually('the row', async () => ((await record(kind)) ? true : undefined), 10_000)
    expect(await record(kind)).toEqual(before)
    await whenReady(kind, ns, kind.toLowerCase())
  },
)

test('an Organization whose row was deleted comes back under its id', async () => {
  await apply(anOrganization(ns, 'alone'))
  const { status } = await whenReady('organization', ns, 'alone')
  await scene.sql(`delete from cardea.organizations where id = $1`, status.id)
  await eventually('the row', async () => {
    const rows = await scene.sql(`select 1 from cardea.organizations where id = $1`, status.id)
    return rows.length === 1 ? true : undefined
  })
})

const secrets = () =>
  scene.sql(
    'select id, digest, source, last_four, envelope, expires_at, revoked_at from cardea_keys.api_key_secrets where api_key_id = $1 order by created_at',
    live.APIKey.status.id,
  )

test.each([
  `update cardea.api_key_secrets set digest = sha256('mine')`,
  `update cardea.api_key_secrets set revoked_at = now()`,
  `update cardea.api_key_secrets set last_four = 'XXXX'`,
  `delete from cardea_keys.api_key_envelopes`,
  `update cardea_keys.api_key_envelopes set envelope = 'null'`,
  `update cardea_keys.api_key_envelopes set envelope = jsonb_set(envelope, '{ciphertext}', '"AAAA"')`,
  `update cardea.api_key_secrets set source = 'imported'`,
  `update cardea.api_key_secrets set expires_at = now() + interval '1 day'`,
  `update cardea.api_key_secrets set expires_at = now() - interval '1 day'`,
])('what %s did is put right', async (edit) => {
  const [before, count] = [await secrets(), await repairs('APIKey')]
  await scene.sql(`${edit} where api_key_id = $1`, live.APIKey.status.id)
  await eventually(
    'the count of the repair',
    async () => ((await repairs('APIKey')) > count ? true : undefined),
    10_000,
  )
  expect(await secrets()).toEqual(before)
  expect(await repairs('APIKey')).toBe(count + 1)
  await whenReady('apikey', ns, 'apikey')
})

test.each([
  [`sha256('mine'), 'minted', null`],
  [`sha256('mine'), 'imported', null`],
  [`sha256('mine'), 'minted', now() + interval '1 year'`],
])('a secret that is slipped in as (%s) goes again', async (values) => {
  const before = await secrets()
  await scene.sql(
    `insert into cardea.api_key_secrets (organization_id, api_key_id, digest, source, expires_at)
     select organization_id, id, ${values} from cardea.api_keys where id = $1`,
    live.APIKey.status.id,
  )
  await eventually(
    'the end of it',
    async () => ((await secrets()).length === 1 ? true : undefined),
    10_000,
  )
  expect(await secrets()).toEqual(before)
})

test('a key that is neither in the database nor in its Secret is not minted anew unasked', async () => {
  await apply(anAPIKey(ns, 'lost', of))
  const { status } = await whenReady('apikey', ns, 'lost')
  await scene.sql(
    `with acting as (select set_config('cardea.actor', 'test', false))
     delete from cardea.api_key_secrets using acting where api_key_id = $1`,
    status.id,
  )
  await kubectl('delete', 'secret', 'lost-secret', '-n', ns)
  const stalled = await whenReady('apikey', ns, 'lost', 'False', 'SecretNotFound')
  expect(stalled.status.keys).toEqual(status.keys)
  await request('apikey', ns, 'lost', 'rotate-requested-at', 'anew')
  const again = await eventually('the new key', async () => {
    const found = await get('apikey', ns, 'lost')
    return found?.status.lastHandledRotateAt === 'anew' ? found : undefined
  })
  expect(again.status.keys).toHaveLength(1)
  expect(await scene.unwrap('lost-secret', status.id)).toMatch(/^ck_/)
})

test('what was done by hand while no operator ran is put right when one starts', async () => {
  const database = await testDatabase()
  const place = await testCluster().namespace()
  const first = await openScene({ namespaces: [place], database })
  const edits = [
    ['digest', `set digest = sha256('mine')`],
    ['revoked', 'set revoked_at = now()'],
    ['ended', `set expires_at = now() + interval '1 day'`],
    ['gone', 'set api_key_id = api_key_id'],
  ] as const
  await apply(anOrganization(place, 'acme'), anRBACRole(place, 'reader'))
  for (const [name] of edits) await apply(anAPIKey(place, name))
  const ids: string[] = []
  for (const [name] of edits) ids.push((await whenReady('apikey', place, name)).status.id)
  await whenReady('rbacrole', place, 'reader')
  const rows = () =>
    query(
      database.superuserUrl,
      `select k.name, s.id, s.digest, s.revoked_at, s.expires_at, r.permissions
       from cardea.api_keys k join cardea.api_key_secrets s on s.api_key_id = k.id, cardea.roles r order by 1`,
    )
  const before = await rows()
  await first.stop()
  for (const [at, [, edit]] of edits.entries()) {
    await query(
      database.superuserUrl,
      `update cardea.api_key_secrets ${edit} where api_key_id = '${ids[at]}'`,
    )
  }
  await query(database.superuserUrl, `delete from cardea.api_keys where name = 'gone'`)
  await query(database.superuserUrl, `update cardea.roles set permissions = '{by:hand}'`)
  const second = await openScene({ namespaces: [place], database })
  await eventually('the repair', async () =>
    isDeepStrictEqual(await rows(), before) ? true : undefined,
  )
  for (const [name] of edits) await whenReady('apikey', place, name)
  await second.stop()
  await database.drop()
})
