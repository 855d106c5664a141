import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openPool } from '../../src/db/pool.ts'
import { DataKeys } from '../../src/encryption/datakeys.ts'
import { type KeyManagement, KeyManagementError } from '../../src/kms/keymanagement.ts'
import { type RunningAuth, startAuth } from '../support/authservice.ts'
import { keyringOf } from '../support/keyring.ts'
import { testDatabase } from '../support/postgres.ts'
import { type ApiKeyFields, type ApiKeyRecord, Records } from '../support/records.ts'
import { type Haystack, traces, whereIs } from '../support/search.ts'
import { unreliableKms } from '../support/unreliablekms.ts'
import { type CredentialRecord, VaultRecords } from '../support/vault.ts'

const database = await testDatabase()
const records = await Records.open(database.superuserUrl)
const kms = unreliableKms()
/** While there is one, the KMS answers when it is over. */
let hanging: Promise<void> | undefined
/** While there is one, the KMS refuses. */
let trouble: KeyManagementError | undefined
let unwrapsAsked = 0
const slowKms: KeyManagement = {
  ...kms,
  unwrap: async (...given) => {
    unwrapsAsked += 1
    await hanging
    if (trouble) throw trouble
    return kms.unwrap(...given)
  },
}
const vault = new VaultRecords(records, kms)
const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const pool = openPool({ connectionString: database.authUrl, applicationName: 'test-vault', log })
const connect = pool.connect.bind(pool)
const keys: Record<string, ApiKeyRecord> = {}
const credentials: Record<string, CredentialRecord> = {}
let dataKeys: DataKeys
let auth: RunningAuth
let closed: RunningAuth
let acme: string

const scopes = ['provider-credentials:resolve']
const mode = (name: string) => JSON.stringify({ providerCredentials: { mode: name } })
const set = (table: string, id: string, settings: string) =>
  records.client.query(`update cardea.${table} set settings = $2 where id = $1`, [id, settings])

beforeAll(async () => {
  acme = await records.organization('acme')
  const stranger = await records.organization('stranger')
  const free = await records.organization('free')
  const scanner = await records.project(acme, 'scanner')
  const billing = await records.project(acme, 'billing')
  const lab = await records.project(acme, 'lab')
  await set('organizations', free, mode('BringYourOwn'))
  await set('projects', lab, mode('Either'))
  const add = async (name: string, fields: ApiKeyFields = {}, owner = acme) => {
    keys[name] = await records.apiKey(owner, { name, scopes, ...fields })
  }
  await add('gateway')
  await add('narrow', { scopes: ['provider-credentials:resolve:openai'] })
  await add('plain', { scopes: ['provider-credentials:resolver', 'scans:read'] })
  await add('scanner', { project: scanner })
  await add('billing', { project: billing })
  await add('inside', { allowedCidrs: ['192.0.2.0/24'] })
  await add('site', { allowedOrigins: ['https://acme.example'] })
  await add('limited', { rateLimit: [1, 3_600_000] })
  await add('revoked')
  await add('stranger', {}, stranger)
  await add('free', {}, free)
  await records.revoke(keys['revoked'] as ApiKeyRecord)
  credentials['acme'] = await vault.credential(acme, { name: 'openai' })
  credentials['scanner'] = await vault.credential(acme, { name: 'scanners', project: scanner })
  credentials['anthropic'] = await vault.credential(acme, { provider: 'anthropic' })
  credentials['stranger'] = await vault.credential(stranger, { provider: 'mistral' })
  credentials['free'] = await vault.credential(free)
  const backend = {
    pool,
    openDataKeys: (onUnwrap: ConstructorParameters<typeof DataKeys>[0]['onUnwrap']) => {
      dataKeys = new DataKeys({
        keyring: keyringOf(slowKms),
        now: () => performance.now(),
        ...(onUnwrap && { onUnwrap }),
      })
      return dataKeys
    },
  }
  auth = await startAuth(database.authUrl, {}, backend)
  closed = await startAuth(database.authUrl)
})
afterAll(async () => {
  await auth.stop()
  await closed.stop()
  await pool.end()
  await records.close()
  await database.drop()
})

async function post(caller: string | undefined, body: unknown, headers = {}, url = auth.url) {
  const text = caller === undefined ? undefined : (keys[caller]?.text ?? caller)
  const answer = await fetch(`${url}/v1/provider-credentials/resolve`, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: {
      'content-type': 'application/json',
      'x-forwarded-for': '192.0.2.1',
      ...(text !== undefined && { 'x-api-key': text }),
      ...headers,
    },
  })
  return { answer, body: (await answer.json()) as Record<string, unknown> }
}

/** The status, and the code of the problem or what is used. */
async function outcome(caller: string | undefined, body: unknown, headers = {}) {
  const asked = await post(caller, body, headers)
  return [asked.answer.status, asked.body['code'] ?? asked.body['use']]
}

const trail = async (requestId: string | null) => {
  const { rows } = await records.client.query(
    'select * from cardea.audit_events where request_id = $1',
    [requestId],
  )
  return rows
}

describe('200', () => {
  test('a workload gets the value of the organization', async () => {
    const { answer, body } = await post('gateway', { provider: 'openai' })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.headers.get('content-type')).toMatch(/^application\/json/)
    const { id, value, fingerprint } = credentials['acme'] as CredentialRecord
    const credential = { id, provider: 'openai', version: 1, fingerprint, value }
    expect(body).toEqual({ use: 'vault', credential })
  })

  test.each([
    ['the key is confined to it', 'scanner', { provider: 'openai' }, 'scanner'],
    ['the request names it', 'gateway', { provider: 'openai', project: 'scanner' }, 'scanner'],
    ['it has none of its own', 'billing', { provider: 'openai' }, 'acme'],
  ])('the credential of a project comes first: %s', async (_, caller, body, expected) => {
    const asked = await post(caller, body)
    expect(asked.body).toMatchObject({ credential: { value: credentials[expected]?.value } })
  })

  test('a scope may be for one provider', async () => {
    expect(await outcome('narrow', { provider: 'openai' })).toEqual([200, 'vault'])
  })

  test.each([
    ['BringYourOwn', 'free', { provider: 'openai', own: true }, 'own'],
    ['Either, with one', 'gateway', { provider: 'openai', project: 'lab', own: true }, 'own'],
    ['Either, without one', 'gateway', { provider: 'openai', project: 'lab' }, 'vault'],
  ])('%s', async (_, caller, body, use) => {
    const asked = await post(caller, body)
    expect([asked.answer.status, asked.body['use']]).toEqual([200, use])
    if (use === 'own') expect(asked.body).toEqual({ use: 'own' })
  })
})

test.each<[string, string | undefined, unknown, string]>([
  ['no JSON', 'gateway', '{', 'invalid_request'],
  ['no provider', 'gateway', {}, 'invalid_request'],
  ['a provider that is no name', 'gateway', { provider: 'Open AI' }, 'invalid_request'],
  ['a project that is no name', 'gateway', { provider: 'a', project: 'A' }, 'invalid_request'],
  ['the own credential itself', 'gateway', { provider: 'a', own: 'sk-1' }, 'invalid_request'],
  ['more than is known', 'gateway', { provider: 'a', key: 'sk-1' }, 'invalid_request'],
])('400: %s', async (_, caller, body, code) => {
  expect(await outcome(caller, body)).toEqual([400, code])
})

test('415: only JSON is taken', async () => {
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  expect(await outcome('gateway', 'provider=openai', form)).toEqual([415, 'unsupported_media_type'])
})

test.each<[string, string | undefined, string]>([
  ['without a key', undefined, 'credential_missing'],
  ['with a garbled one', 'nonsense', 'credential_invalid'],
  ['with a revoked one', 'revoked', 'credential_invalid'],
])('401: %s', async (_, caller, code) => {
  expect(await outcome(caller, { provider: 'openai' })).toEqual([401, code])
})

test.each<[string, string, object, Record<string, string>, string]>([
  ['no such scope', 'plain', { provider: 'openai' }, {}, 'insufficient_scope'],
  [
    'another provider than the scope’s',
    'narrow',
    { provider: 'anthropic' },
    {},
    'insufficient_scope',
  ],
  [
    'another project than the key’s',
    'billing',
    { provider: 'openai', project: 'scanner' },
    {},
    'project_not_allowed',
  ],
  [
    'a project that there is not',
    'gateway',
    { provider: 'openai', project: 'none' },
    {},
    'project_not_allowed',
  ],
  [
    'an address that the key may not be used from',
    'inside',
    { provider: 'openai' },
    { 'x-forwarded-for': '198.51.100.1' },
    'address_not_allowed',
  ],
  [
    'an origin that the key may not be used from',
    'site',
    { provider: 'openai' },
    { origin: 'https://evil.example' },
    'origin_not_allowed',
  ],
  [
    'VaultOnly, with one of one’s own',
    'gateway',
    { provider: 'openai', own: true },
    {},
    'own_credential_not_allowed',
  ],
  ['BringYourOwn, without one', 'free', { provider: 'openai' }, {}, 'own_credential_required'],
])('403: %s', async (_, caller, body, headers, code) => {
  expect(await outcome(caller, body, headers)).toEqual([403, code])
})

test.each([
  ['there is none for the provider', 'gateway', 'gemini'],
  ['only another organization has one', 'gateway', 'mistral'],
  ['only another organization has one, seen from there', 'stranger', 'openai'],
])('404: %s', async (_, caller, provider) => {
  expect(await outcome(caller, { provider })).toEqual([404, 'provider_credential_not_found'])
})

test('429: the key’s own rate limit holds here', async () => {
  expect(await outcome('limited', { provider: 'openai' })).toEqual([200, 'vault'])
  const { answer, body } = await post('limited', { provider: 'openai' })
  expect([answer.status, body['code']]).toEqual([429, 'rate_limited'])
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
})

describe('503', () => {
  test('without a key management service the vault is closed, and nothing else', async () => {
    const { answer, body } = await post('gateway', { provider: 'openai' }, {}, closed.url)
    expect([answer.status, body['code']]).toEqual([503, 'vault_unavailable'])
    const checked = await fetch(`${closed.url}/check`, {
      headers: { 'x-api-key': keys['gateway']?.text ?? '', 'x-forwarded-for': '192.0.2.1' },
    })
    expect(checked.status).toBe(200)
  })

  test('with the KMS away what is cached serves on, and then the answer says so', async () => {
    await post('gateway', { provider: 'openai' })
    kms.away = true
    expect(await outcome('gateway', { provider: 'openai' })).toEqual([200, 'vault'])
    dataKeys.clear()
    const { answer, body } = await post('gateway', { provider: 'openai' })
    expect([answer.status, body['code']]).toEqual([503, 'key_management_unavailable'])
    expect(answer.headers.get('retry-after')).toBe('5')
    expect(await outcome('free', { provider: 'openai', own: true })).toEqual([200, 'own'])
    kms.away = false
    expect(await outcome('gateway', { provider: 'openai' })).toEqual([200, 'vault'])
  })

  test('a KMS that hangs holds up those who need it, a bounded number of them, and no check', async () => {
    let goOn = (): void => {}
    hanging = new Promise((resolve) => {
      goOn = resolve
    })
    dataKeys.clear()
    const asked = Array.from({ length: 40 }, () => outcome('gateway', { provider: 'openai' }))
    expect(await Promise.race(asked)).toEqual([503, 'vault_unavailable'])
    // Neither waits for the KMS, which answers nothing before it is told to.
    const headers = { 'x-api-key': keys['gateway']?.text ?? '', 'x-forwarded-for': '192.0.2.1' }
    expect((await fetch(`${auth.url}/check`, { headers })).status).toBe(200)
    expect(await outcome('free', { provider: 'openai', own: true })).toEqual([200, 'own'])
    goOn()
    hanging = undefined
    const statuses = (await Promise.all(asked)).map(([status]) => status)
    expect(statuses.filter((status) => status === 503)).toHaveLength(8)
  })

  test('a KMS that refuses is not asked again by each request, and soon after it is mended', async () => {
    const ask = () => outcome('stranger', { provider: 'mistral' })
    dataKeys.clear()
    trouble = new KeyManagementError('disabled', 'the key is disabled')
    const before = unwrapsAsked
    for (let i = 0; i < 5; i++) expect(await ask()).toEqual([503, 'key_management_unavailable'])
    expect(unwrapsAsked - before).toBe(1)
    trouble = undefined
    await expect.poll(ask, { timeout: 20_000, interval: 200 }).toEqual([200, 'vault'])
  })

  test('with PostgreSQL away nothing is given out, and checks go on', async () => {
    Object.assign(pool, { connect: () => Promise.reject(new Error('away')) })
    const { answer, body } = await post('gateway', { provider: 'openai' })
    expect([answer.status, body['code']]).toEqual([503, 'vault_unavailable'])
    const headers = { 'x-api-key': keys['gateway']?.text ?? '', 'x-forwarded-for': '192.0.2.1' }
    expect((await fetch(`${auth.url}/check`, { headers })).status).toBe(200)
    Object.assign(pool, { connect })
    expect(await outcome('gateway', { provider: 'openai' })).toEqual([200, 'vault'])
  })

  test('what cannot be written down is not given out', async () => {
    const policy = 'alter policy append_auth on cardea.audit_events with check'
    const { rows } = await records.client.query<{ check: string }>(
      `select pg_get_expr(polwithcheck, polrelid) as check from pg_policy where polname = 'append_auth'`,
    )
    await records.client.query(`${policy} (false)`)
    const { answer, body } = await post('gateway', { provider: 'openai' })
    expect([answer.status, body['code']]).toEqual([503, 'vault_unavailable'])
    expect(answer.headers.get('retry-after')).toBe('1')
    await records.client.query(`${policy} (${rows[0]?.check})`)
    expect(await outcome('gateway', { provider: 'openai' })).toEqual([200, 'vault'])
  })
})

describe('a value that was moved does not open, and the alarm is raised:', () => {
  const moved = async (caller: string, provider: string) => {
    const before = await unreadable()
    const { answer, body } = await post(caller, { provider })
    expect([answer.status, body['code']]).toEqual([503, 'provider_credential_unreadable'])
    expect(await unreadable()).toBe(before + 1)
  }
  const unreadable = () =>
    auth.metric('cardea_vault_resolves_total', { outcome: 'provider_credential_unreadable' })
  const sealedOf = async (name: string) => {
    const { rows } = await records.client.query<{ sealed: Buffer }>(
      'select sealed from cardea.provider_credential_versions where id = $1',
      [credentials[name]?.versionId],
    )
    return rows[0]?.sealed
  }
  const put = (id: string, sealed: Buffer | undefined) =>
    records.client.query(
      'update cardea.provider_credential_versions set sealed = $2 where id = $1',
      [id, sealed],
    )

  test('to another row', async () => {
    const { versionId } = await vault.credential(acme, { provider: 'row' })
    await put(versionId, await sealedOf('anthropic'))
    await moved('gateway', 'row')
  })

  test('to another organization', async () => {
    const { versionId } = await vault.credential(acme, { provider: 'tenant' })
    await put(versionId, await sealedOf('stranger'))
    await moved('gateway', 'tenant')
  })

  test('as a whole version, to another credential', async () => {
    const thief = await vault.credential(acme, { provider: 'thief' })
    const victim = await vault.credential(acme, { provider: 'victim' })
    await records.client.query('delete from cardea.provider_credential_versions where id = $1', [
      thief.versionId,
    ])
    await records.client.query(
      'update cardea.provider_credential_versions set provider_credential_id = $2 where id = $1',
      [victim.versionId, thief.id],
    )
    await moved('gateway', 'thief')
  })

  test('nor one that was altered, or whose data key is gone', async () => {
    const altered = await vault.credential(acme, { provider: 'altered' })
    const sealed = await sealedOf('acme')
    sealed?.writeUInt8((sealed.at(-1) ?? 0) ^ 1, sealed.length - 1)
    await put(altered.versionId, sealed)
    await moved('gateway', 'altered')
    await records.client.query(
      'update cardea.provider_credential_versions set data_key_version = 9 where id = $1',
      [altered.versionId],
    )
    await moved('gateway', 'altered')
  })
})

test('what is revoked or deleted is refused with the next request', async () => {
  const { id, versionId } = await vault.credential(acme, { provider: 'fleeting' })
  expect(await outcome('gateway', { provider: 'fleeting' })).toEqual([200, 'vault'])
  const none = [404, 'provider_credential_not_found']
  const { client } = records
  await client.query(
    'update cardea.provider_credential_versions set revoked_at = now() where id = $1',
    [versionId],
  )
  expect(await outcome('gateway', { provider: 'fleeting' })).toEqual(none)
  await client.query(
    'update cardea.provider_credential_versions set revoked_at = null where id = $1',
    [versionId],
  )
  await client.query('update cardea.provider_credentials set deleted_at = now() where id = $1', [
    id,
  ])
  expect(await outcome('gateway', { provider: 'fleeting' })).toEqual(none)
})

test('each answer is in the audit trail, with who asked and for what', async () => {
  const given = await post('scanner', { provider: 'openai' })
  expect(await trail(given.answer.headers.get('x-request-id'))).toMatchObject([
    {
      organization_id: acme,
      actor_kind: 'apikey',
      actor: keys['scanner']?.id,
      action: 'provider_credential.resolved',
      target_kind: 'provider_credential',
      target_id: credentials['scanner']?.id,
      target_name: 'scanners',
      detail: {
        apiKey: 'scanner',
        secretId: keys['scanner']?.secretId,
        provider: 'openai',
        project: 'scanner',
        own: false,
        use: 'vault',
        version: 1,
        fingerprint: credentials['scanner']?.fingerprint,
      },
    },
  ])
  const refused = await post('narrow', { provider: 'anthropic' })
  expect(await trail(refused.answer.headers.get('x-request-id'))).toMatchObject([
    {
      action: 'provider_credential.refused',
      target_kind: 'organization',
      target_id: acme,
      detail: { provider: 'anthropic', code: 'insufficient_scope' },
    },
  ])
})

test('the unwrap of a data key is in the audit trail before the value is given out', async () => {
  dataKeys.clear()
  const { answer } = await post('gateway', { provider: 'openai' })
  const requestId = answer.headers.get('x-request-id')
  expect((await trail(requestId)).toSorted((a, b) => (a.action < b.action ? -1 : 1))).toMatchObject(
    [
      {
        organization_id: acme,
        actor_kind: 'system',
        actor: 'cardea-auth',
        action: 'data_key.unwrapped',
        target_kind: 'organization',
        target_id: acme,
        detail: { version: 1, kek: { provider: 'local' }, purpose: 'provider_credential' },
      },
      { action: 'provider_credential.resolved', target_id: credentials['acme']?.id },
    ],
  )
  // Once, for it is cached from now on.
  const again = await post('gateway', { provider: 'openai' })
  expect(await trail(again.answer.headers.get('x-request-id'))).toHaveLength(1)
})

test('when a credential was last given out, and how often, is written back', async () => {
  const { id } = await vault.credential(acme, { provider: 'counted' })
  for (let i = 0; i < 3; i++) await post('gateway', { provider: 'counted' })
  await auth.service.stop()
  const { rows } = await records.client.query(
    'select uses::int, last_used_at from cardea.provider_credential_usage where provider_credential_id = $1',
    [id],
  )
  expect(rows).toEqual([{ uses: 3, last_used_at: expect.any(Date) }])
  const { rows: unwraps } = await records.client.query(
    `select distinct actor_kind, organization_id from cardea.audit_events where action = 'data_key.unwrapped' and organization_id = $1`,
    [acme],
  )
  expect(unwraps).toEqual([{ actor_kind: 'system', organization_id: acme }])
})

test('no value is in a log line, a metric or a row', async () => {
  const { rows: tables } = await records.client.query<{ name: string }>(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('cardea', 'cardea_keys')`,
  )
  const haystacks: Haystack[] = []
  for (const { name } of tables) {
    const { rows } = await records.client.query(`select t::text from ${name} t`)
    haystacks.push({ name, content: Buffer.from(JSON.stringify(rows)) })
  }
  const { lines, service } = auth
  haystacks.push({ name: 'log', content: Buffer.from(JSON.stringify(lines)) })
  haystacks.push({ name: 'metrics', content: Buffer.from(await service.registry.metrics()) })
  expect(whereIs('provider_credential.resolved', haystacks)).not.toEqual([])
  for (const { value } of Object.values(credentials)) {
    for (const trace of traces(`x_${value}`)) expect(whereIs(trace, haystacks)).toEqual([])
  }
})
