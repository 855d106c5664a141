import { readFileSync } from 'node:fs'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { digestApiKey } from '../../src/domain/apikey.ts'
import {
  anAPIKey,
  anOrganization,
  anRBACBinding,
  anRBACRole,
  aProject,
} from '../support/build/resource.ts'
import { apply, eventually, get, remove, request, whenGone, whenReady } from '../support/kube.ts'
import { openScene, type Scene } from '../support/scene.ts'

let scene: Scene
let ns: string
beforeAll(async () => {
  scene = await openScene()
  ;({ ns } = scene)
  await apply(anOrganization(ns, 'acme'))
})
afterAll(() => scene.stop())

interface AuditRow {
  readonly action: string
  readonly detail: Record<string, unknown>
  readonly xmin: string
  readonly actor_kind: string
  readonly actor: string
  readonly target_kind: string
  readonly target_name: string
  readonly organization_id: string
}

/** What happened to a record, in order. */
const trail = (id: string) =>
  scene.sql<AuditRow>(
    `select action, detail, xmin::text, actor_kind, actor, target_kind, target_name, organization_id
     from cardea.audit_events where target_id = $1 order by at, id`,
    id,
  )
const actions = async (id: string) => (await trail(id)).map((event) => event.action)
const whenTrail = (id: string, ...expected: string[]) =>
  eventually(`the trail ${expected.join(', ')}`, async () => {
    const events = await trail(id)
    return JSON.stringify(events.map((event) => event.action)) === JSON.stringify(expected)
      ? events
      : undefined
  })

const kinds = [
  [
    'organization',
    'organization',
    'organizations',
    anOrganization,
    { displayName: 'Edited' },
    `display_name = 'x'`,
    'retained',
  ],
  [
    'project',
    'project',
    'projects',
    aProject,
    { displayName: 'Edited' },
    `display_name = 'x'`,
    'retained',
  ],
  [
    'rbacrole',
    'role',
    'roles',
    anRBACRole,
    { permissions: ['edited:read'] },
    `permissions = '{x:y}'`,
    'deleted',
  ],
  [
    'rbacbinding',
    'role_binding',
    'role_bindings',
    anRBACBinding,
    { role: 'viewer' },
    `role = 'owner'`,
    'deleted',
  ],
  ['apikey', 'api_key', 'api_keys', anAPIKey, { scopes: ['edited'] }, `scopes = '{x}'`, 'retained'],
] as const

test.each(kinds)(
  '%s: what happens to it is in the trail, by the transaction that did it',
  async (kind, concept, table, build, edit, byHand, end) => {
    const name = `audited-${kind}`
    const version = async (id: string) =>
      (await scene.sql(`select xmin::text from cardea.${table} where id = $1`, id))[0]?.xmin
    await apply(build(ns, name))
    const { id } = (await whenReady(kind, ns, name)).status
    const minted = {
      apikey: ['api_key.minted'],
      organization: ['organization.data_key_created'],
      project: [],
      rbacrole: [],
      rbacbinding: [],
    }[kind]
    const [created] = await whenTrail(id, `${concept}.created`, ...minted)
    expect(created?.xmin).toBe(await version(id))
    await apply(build(ns, name, edit))
    const edited = await whenTrail(id, `${concept}.created`, ...minted, `${concept}.updated`)
    expect(edited.at(-1)?.xmin).toBe(await version(id))
    expect(edited.at(-1)?.detail).toEqual({ fields: [Object.keys(edit)[0]] })
    await whenReady(kind, ns, name)
    await scene.sql(`update cardea.${table} set ${byHand} where id = $1`, id)
    const repaired = await whenTrail(
      id,
      `${concept}.created`,
      ...minted,
      `${concept}.updated`,
      `${concept}.drift_repaired`,
    )
    expect(repaired.at(-1)?.xmin).toBe(await version(id))
    await remove(kind, ns, name)
    await whenGone(kind, ns, name)
    const [organizationId] = new Set(repaired.map((event) => event.organization_id))
    const events = await trail(id)
    expect(events.at(-1)?.action).toBe(`${concept}.${end}`)
    if (end === 'retained') expect(events.at(-1)?.xmin).toBe(await version(id))
    for (const event of events) {
      expect(event).toMatchObject({
        actor_kind: 'operator',
        actor: 'cardea-operator',
        target_kind: concept,
        target_name: name,
        organization_id: organizationId,
      })
    }
  },
)

test('a key that is rotated, ended, imported, purged and brought back has every step in its trail', async () => {
  const rotation = { every: '90d', overlap: '1s' }
  await apply(anAPIKey(ns, 'story', { rotation }))
  const { id } = (await whenReady('apikey', ns, 'story')).status
  await request('apikey', ns, 'story', 'rotate-requested-at', 'one')
  const steps = ['api_key.created', 'api_key.minted', 'api_key.rotated', 'api_key.secret_ended']
  await whenTrail(id, ...steps)
  const sha256 = digestApiKey('minted-elsewhere-0123456789').toString('hex')
  await apply(anAPIKey(ns, 'story', { digest: { sha256 } }))
  await whenTrail(id, ...steps, 'api_key.imported')
  await remove('apikey', ns, 'story')
  await whenGone('apikey', ns, 'story')
  await apply(anAPIKey(ns, 'story', { deletionPolicy: 'Delete' }))
  await whenReady('apikey', ns, 'story')
  await remove('apikey', ns, 'story')
  await whenGone('apikey', ns, 'story')
  expect((await actions(id)).slice(5)).toEqual([
    'api_key.retained',
    'api_key.restored',
    'api_key.minted',
    'api_key.deleted',
  ])
})

test('no key and no envelope is in the trail, the feed, an event, a status or the log', async () => {
  await apply(anAPIKey(ns, 'canary'))
  const live = await whenReady('apikey', ns, 'canary')
  const key = await scene.unwrap('canary-secret', live.status.id)
  const secret = await get('secret', ns, 'canary-secret')
  const { ciphertext } = JSON.parse(
    Buffer.from(secret?.data?.['envelope'] ?? '', 'base64').toString(),
  )
  await scene.sql(
    `update cardea.api_key_secrets set digest = sha256('mine') where api_key_id = $1`,
    live.status.id,
  )
  await eventually('the repair', async () =>
    (await actions(live.status.id)).includes('api_key.drift_repaired') ? true : undefined,
  )
  const places = [
    JSON.stringify(await scene.sql('select a::text from cardea.audit_events a')),
    JSON.stringify(await scene.sql('select c::text from cardea.changes c')),
    JSON.stringify(await whenReady('apikey', ns, 'canary')),
    scene.operator.log.join(''),
    await scene.operator.registry.metrics(),
  ]
  for (const text of places) {
    expect(text).not.toContain(key)
    expect(text).not.toContain(key.slice(3, 46))
    expect(text).not.toContain(ciphertext)
  }
})

test('the SQL of the guide reads the trail of one organization, as the operator’s role', async () => {
  const guide = readFileSync('docs/operations/audit.md', 'utf8')
  const [, sql = ''] = /<<'SQL'\n([\s\S]+?)\nSQL\n/.exec(guide) ?? []
  const { id } = (await whenReady('organization', ns, 'acme')).status
  await apply(anOrganization(ns, 'other'))
  await whenReady('organization', ns, 'other')
  const client = new Client({ connectionString: scene.operator.database.operatorUrl })
  await client.connect()
  const answers = await client.query(sql.replace(":'organization'", `'${id}'`))
  await client.end()
  const rows = [answers].flat().flatMap((each) => (each.command === 'SELECT' ? each.rows : []))
  const events = rows.filter((row) => 'target_name' in row)
  expect(events.some((row) => row.action === 'organization.created')).toBe(true)
  expect(events.some((row) => row.target_name === 'other')).toBe(false)
})
