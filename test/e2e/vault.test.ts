import { afterAll, beforeAll, expect, test } from 'vitest'
import { ask, check } from '../support/ask.ts'
import {
  anAPIKey,
  anOrganization,
  aProject,
  aProviderCredential,
} from '../support/build/resource.ts'
import { testCluster } from '../support/controlplane.ts'
import { filesOfDatabase, rowsOfDatabase } from '../support/databasefiles.ts'
import { etcdKeys } from '../support/etcd.ts'
import {
  apply,
  eventually,
  get,
  kubectl,
  patch,
  remove,
  whenGone,
  whenReady,
} from '../support/kube.ts'
import { filesUnder, type Haystack, whereIs } from '../support/search.ts'
import { type System, startSystem } from '../support/system.ts'

/** Values that nobody may see but who resolves them. */
const values = ['sk-thirdparty-7fKq2Zp9Lm4XcVb1', 'sk-thirdparty-Gh6Rt8Wn3Yd5Js0A'] as const
/** What must be found, so that not to find something means something. */
const control = 'the vault is searched'

let ns: string
let system: System
let key: string
const shown: Haystack[] = []

beforeAll(async () => {
  ns = await testCluster().namespace()
  const loud = { CARDEA_LOG_LEVEL: 'trace' }
  system = await startSystem({
    namespaces: [ns],
    operatorSettings: loud,
    authSettings: loud,
  })
  await kubectl(
    'create',
    'secret',
    'generic',
    'openai-key',
    `--namespace=${ns}`,
    `--from-literal=token=${values[0]}`,
  )
  await apply(
    anOrganization(ns, 'acme', { displayName: control }),
    aProject(ns, 'scanner'),
    aProviderCredential(ns, 'openai'),
    anAPIKey(ns, 'worker', { scopes: ['provider-credentials:resolve:openai'] }),
    anAPIKey(ns, 'plain', { scopes: ['scans:read'] }),
  )
  for (const [kind, name] of [
    ['providercredential', 'openai'],
    ['apikey', 'worker'],
    ['apikey', 'plain'],
  ] as const) {
    await whenReady(kind, ns, name)
  }
  key = await system.unwrap(ns, 'worker')
  await eventually('the key is known', async () =>
    (await check(system.auth.url, key)) === 200 ? true : undefined,
  )
})
afterAll(() => system.stop())

async function resolve(presented = key, question: object = { provider: 'openai' }) {
  const answer = await ask(`${system.auth.url}/v1/provider-credentials/resolve`, {
    method: 'POST',
    headers: [
      ['x-api-key', presented],
      ['content-type', 'application/json'],
    ],
    body: JSON.stringify(question),
  })
  return { answer, body: JSON.parse(answer.body) }
}

test('a workload with the scope gets the value, and nobody else does', async () => {
  const { answer, body } = await resolve()
  expect(answer.status).toBe(200)
  expect(answer.all('cache-control')).toEqual(['no-store'])
  expect(body).toMatchObject({ use: 'vault', credential: { provider: 'openai', value: values[0] } })
  const plain = await system.unwrap(ns, 'plain')
  for (const [presented, question, status] of [
    [plain, { provider: 'openai' }, 403],
    ['ck_unknown', { provider: 'openai' }, 401],
    [key, { provider: 'anthropic' }, 403],
    [key, { provider: 'openai', project: 'nosuch' }, 403],
    [key, { provider: 'openai', own: true }, 403],
    [key, { provider: 'openai', value: values[0] }, 400],
    [key, [values[0]], 400],
  ] as const) {
    const refused = await resolve(presented, question)
    expect(refused.answer.status, JSON.stringify(question)).toBe(status)
    shown.push({
      name: `the answer to ${JSON.stringify(Object.keys(question))}`,
      content: Buffer.from(refused.answer.rawHeaders.join('\n') + refused.answer.body),
    })
  }
})

test('a new value is a new version, and a Secret that is deleted takes nothing away', async () => {
  const token = Buffer.from(values[1]).toString('base64')
  await patch('secret', ns, 'openai-key', { data: { token } })
  await patch('providercredential', ns, 'openai', {
    metadata: { annotations: { 'cardea.dev/reconcile-requested-at': 'now' } },
  })
  await eventually('the new value is given out', async () =>
    (await resolve()).body.credential?.value === values[1] ? true : undefined,
  )
  await remove('secret', ns, 'openai-key')
  await patch('providercredential', ns, 'openai', {
    metadata: { annotations: { 'cardea.dev/reconcile-requested-at': 'later' } },
  })
  await eventually('it is said that the Secret is gone', async () =>
    JSON.stringify((await get('providercredential', ns, 'openai'))?.status).includes(
      'SecretNotFound',
    )
      ? true
      : undefined,
  )
  expect((await resolve()).body.credential?.value).toBe(values[1])
})

test('each answer is in the audit trail', async () => {
  const events = await system.sql<{ action: string; n: string }>(
    `select action, count(*) as n from cardea.audit_events
     where actor_kind = 'apikey' group by action order by action`,
  )
  const counted = Object.fromEntries(events.map(({ action, n }) => [action, Number(n)]))
  expect(counted['provider_credential.resolved']).toBeGreaterThanOrEqual(3)
  expect(counted['provider_credential.refused']).toBeGreaterThanOrEqual(3)
})

test('no value is in what people are shown', async () => {
  for (const args of [
    // First, since kubectl asks anew for a kind that it has not heard of, and not for a category.
    ['describe', 'providercredentials', '-n', ns],
    ['get', 'cardea', '-n', ns, '--output=yaml'],
    ['get', 'events', '-n', ns, '--output=yaml'],
  ]) {
    shown.push({ name: args.join(' '), content: Buffer.from(await kubectl(...args)) })
  }
  for (const { probes, daemon } of [system.operator, system.auth]) {
    const metrics = await (await fetch(`${probes}/metrics`)).text()
    shown.push({ name: `the metrics of ${daemon.name}`, content: Buffer.from(metrics) })
  }
  expectNothingIn(shown, control)
})

test('no value is in a log, at the most talkative level', () => {
  const logs = filesUnder(system.directory).filter(({ name }) => name.endsWith('.log'))
  expectNothingIn(logs, '"level":"debug"')
})

test('no value is in any key of etcd', async () => {
  expectNothingIn(await etcdKeys(), control)
})

test('no value is in a table of PostgreSQL, nor in its files', async () => {
  const dump = await rowsOfDatabase(system)
  expect(dump.map(({ name }) => name)).toContain('cardea_keys.data_keys')
  expectNothingIn(dump, control)
  expectNothingIn(await filesOfDatabase(system), control)
})

test('after an organization is erased, a backup of its rows that is restored cannot be read', async () => {
  const worker = { organizationRef: { name: 'gone' }, scopes: ['provider-credentials:resolve'] }
  const literal = `--from-literal=token=${values[0]}`
  await kubectl('create', 'secret', 'generic', 'gone-key', `--namespace=${ns}`, literal)
  await apply(
    anOrganization(ns, 'gone', { deletionPolicy: 'Delete' }),
    anAPIKey(ns, 'gone-worker', { ...worker, deletionPolicy: 'Delete' }),
    aProviderCredential(ns, 'gone-openai', {
      organizationRef: { name: 'gone' },
      valueFrom: { secretRef: { name: 'gone-key', key: 'token' } },
      deletionPolicy: 'Delete',
    }),
  )
  await whenReady('apikey', ns, 'gone-worker')
  await whenReady('providercredential', ns, 'gone-openai')
  const goneKey = await system.unwrap(ns, 'gone-worker')
  await eventually('it is given out', async () =>
    (await resolve(goneKey)).answer.status === 200 ? true : undefined,
  )
  const id = (await get('organization', ns, 'gone'))?.status?.id as string
  const backup = await rowsOf(id)
  expect(Object.keys(backup)).toContain('cardea.provider_credential_versions')

  for (const [kind, name] of [
    ['providercredential', 'gone-openai'],
    ['apikey', 'gone-worker'],
    ['organization', 'gone'],
  ] as const) {
    await remove(kind, ns, name)
    await whenGone(kind, ns, name)
  }
  for (const table of ['data_keys', 'api_key_envelopes']) {
    const left = `select from cardea_keys.${table} where organization_id = $1`
    expect(await system.sql(left, id), table).toEqual([])
  }

  for (const [table, rows] of Object.entries(backup)) {
    await system.sql(
      `insert into ${table} select * from jsonb_populate_recordset(null::${table}, $1)`,
      rows,
    )
  }
  const answer = await eventually('the restored key is known', async () => {
    const { answer: given, body } = await resolve(goneKey)
    return given.status === 401 ? undefined : { status: given.status, body }
  })
  expect(answer).toMatchObject({ status: 503, body: { code: 'provider_credential_unreadable' } })
  const keyBack = system.sql(
    `insert into cardea_keys.data_keys (organization_id, version, kek, wrapped) values ($1, 1, '{}', '')`,
    id,
  )
  await expect(keyBack).rejects.toThrow('was erased')
})

/** What a backup of the schema `cardea` has of an organization, in an order in which it can be put back. */
async function rowsOf(organizationId: string): Promise<Record<string, string>> {
  const tables = [
    'organizations',
    'projects',
    'api_keys',
    'api_key_secrets',
    'provider_credentials',
    'provider_credential_versions',
  ]
  const backup: Record<string, string> = {}
  for (const table of tables) {
    const column = table === 'organizations' ? 'id' : 'organization_id'
    const [row] = await system.sql<{ rows: object }>(
      `select coalesce(jsonb_agg(to_jsonb(t)), '[]') as rows from cardea.${table} t where t.${column} = $1`,
      organizationId,
    )
    backup[`cardea.${table}`] = JSON.stringify(row?.rows)
  }
  return backup
}

/** Fails where a value is, plain or encoded; `expected` must be found, or the search looks in the wrong place. */
function expectNothingIn(haystacks: readonly Haystack[], expected: string): void {
  expect(whereIs(expected, haystacks)).not.toEqual([])
  for (const value of values) {
    const body = value.slice(value.lastIndexOf('-') + 1)
    const encoded = [0, 1, 2].map((shift) =>
      Buffer.from(' '.repeat(shift) + value)
        .toString('base64')
        .slice(4, -4),
    )
    for (const trace of [body, body.slice(0, -4), ...encoded, Buffer.from(body).toString('hex')]) {
      expect(whereIs(trace, haystacks), trace).toEqual([])
    }
  }
}
