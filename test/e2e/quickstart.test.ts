import { readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { apiKeyEntropy, mintApiKey } from '../../src/domain/apikey.ts'
import { type Answer, ask, check } from '../support/ask.ts'
import { anAPIKey } from '../support/build/resource.ts'
import { testCluster } from '../support/controlplane.ts'
import { apply, eventually, get, kubectl, patch, remove, whenReady } from '../support/kube.ts'
import type { Program } from '../support/program.ts'
import { type System, startSystem } from '../support/system.ts'

const ns = 'acme'
let system: System
let behindProxy: Program
let key: string

beforeAll(async () => {
  system = await startSystem({ namespaces: [ns] })
  // Before the second the tests are a proxy, which says where a request came from.
  behindProxy = await system.startAuth({ CARDEA_TRUSTED_PROXIES: '127.0.0.1/32' })
  await kubectl('apply', '--filename=manifests/quickstart')
  await kubectl('wait', '--for=condition=Ready', 'apikey/ci', '-n', ns, '--timeout=60s')
  key = await system.unwrap(ns, 'ci')
  await eventuallyAnswers(system.auth.url, key, 200)
})
afterAll(() => system.stop())

const eventuallyAnswers = (url: string, credential: string, status: number) =>
  eventually(`${url} answers ${status}`, async () =>
    (await check(url, credential)) === status ? true : undefined,
  )

/** A check with the key, by whoever connects. */
const asked = (query: string, ...headers: [string, string][]): Promise<Answer> =>
  ask(`${system.auth.url}/check${query}`, { headers: [['x-api-key', key], ...headers] })

const codeOf = ({ status, json }: Answer) => [status, json.code]

test('kubectl lists every resource of the quickstart with Ready', async () => {
  const tables = (await kubectl('get', 'cardea', '--all-namespaces')).trim().split('\n\n')
  const rows = tables.flatMap((table) => {
    const [header = '', ...lines] = table.split('\n')
    return lines
      .filter((line) => line.startsWith(`${ns} `))
      .map((line) => [line.split(/\s+/)[1], line.slice(header.indexOf('READY')).split(/\s+/)[0]])
  })
  expect(rows.toSorted(([a = ''], [b = '']) => a.localeCompare(b))).toEqual([
    ['apikey.cardea.dev/ci', 'True'],
    ['organization.cardea.dev/acme', 'True'],
    ['project.cardea.dev/scanner', 'True'],
    ['rbacbinding.cardea.dev/scan-readers', 'True'],
    ['rbacbinding.cardea.dev/scanner-admins', 'True'],
    ['rbacrole.cardea.dev/scan-reader', 'True'],
  ])
})

test('the Secret holds an envelope and nothing else', async () => {
  const secret = await get('secret', ns, 'ci-key')
  expect(secret?.type).toBe('cardea.dev/envelope')
  expect(Object.keys(secret?.data ?? {})).toEqual(['envelope'])
  const envelope = Buffer.from(secret?.data?.['envelope'] ?? '', 'base64').toString()
  expect(JSON.parse(envelope)).toMatchObject({ version: 1, algorithm: 'A256GCM' })
  for (const text of [key, key.slice(3, 20), key.slice(-20, -4)]) {
    expect(JSON.stringify(secret)).not.toContain(text)
    expect(envelope).not.toContain(text)
  }
})

describe('cardea unwrap', () => {
  const mounted = () => path.join(system.directory, 'envelope')
  const envelope = async () => (await get('secret', ns, 'ci-key'))?.data?.['envelope'] ?? ''
  const controlledBy = async (namespace: string, name: string) => {
    const { uid } = (await get('apikey', namespace, name))?.metadata ?? {}
    return { apiVersion: 'cardea.dev/v1alpha1', kind: 'APIKey', name, uid, controller: true }
  }
  const putSecret = async (namespace: string, name: string, owner: string, data: string) => {
    const manifest = {
      apiVersion: 'v1',
      kind: 'Secret',
      type: 'cardea.dev/envelope',
      metadata: { namespace, name, ownerReferences: [await controlledBy(namespace, owner)] },
      data: { envelope: data },
    }
    const input = JSON.stringify(manifest)
    await testCluster().kubectl(['create', '--filename=-'], { input })
  }
  const unwrap = (namespace: string, name: string) =>
    system.cardea(['unwrap', '-n', namespace, name])
  const opened = () => ({ code: 0, stdout: key, stderr: '' })
  const refused = { code: 1, stdout: '', stderr: expect.stringContaining('altered or was made') }

  test('prints the key', async () => {
    expect(await unwrap(ns, 'ci-key')).toEqual(opened())
  })

  test('opens a mounted copy, and only as what it is', async () => {
    writeFileSync(mounted(), Buffer.from(await envelope(), 'base64'))
    const file = ['unwrap', '--file', mounted()]
    expect(await system.cardea(file)).toMatchObject({
      code: 0,
      stdout: key,
      stderr: expect.stringContaining("on the envelope's own word"),
    })
    const { id } = (await get('apikey', ns, 'ci'))?.status ?? {}
    const held = [...file, '-n', ns, '--name', 'ci-key', '--id', id]
    expect(await system.cardea(held)).toEqual(opened())
    const output = path.join(system.directory, 'opened')
    for (const run of ['first', 'again']) {
      const written = await system.cardea([...held, '--output', output])
      expect(written, run).toEqual({ code: 0, stdout: '', stderr: '' })
      expect(readFileSync(output, 'utf8')).toBe(key)
      expect(statSync(output).mode & 0o777).toBe(0o440)
    }
    const elsewhere = [
      ['-n', 'other'],
      ['--name', 'other'],
      ['--id', id.replace(/.$/, (last: string) => (last === '0' ? '1' : '0'))],
    ]
    for (const place of elsewhere) {
      expect(await system.cardea([...file, ...place])).toMatchObject(refused)
    }
  })

  test('opens no copy in another Secret', async () => {
    await putSecret(ns, 'copied', 'ci', await envelope())
    expect(await unwrap(ns, 'copied')).toMatchObject(refused)
  })

  test('opens no copy in another namespace, even where an APIKey has the name and the id', async () => {
    // No operator watches it, so nothing is put right.
    await kubectl('create', 'namespace', 'thief')
    await apply(anAPIKey('thief', 'ci'))
    const { id } = (await get('apikey', ns, 'ci'))?.status ?? {}
    await patch('apikey', 'thief', 'ci', { status: { id } }, 'status')
    await putSecret('thief', 'ci-key', 'ci', await envelope())
    expect(await unwrap('thief', 'ci-key')).toMatchObject(refused)
  })

  test('does not open for another APIKey', async () => {
    await apply(anAPIKey(ns, 'other'))
    await whenReady('apikey', ns, 'other')
    const give = async (...ownerReferences: object[]) =>
      patch('secret', ns, 'ci-key', { metadata: { ownerReferences } })
    const [ours, others] = [await controlledBy(ns, 'ci'), await controlledBy(ns, 'other')]
    await patch('apikey', ns, 'ci', { spec: { suspend: true } })
    await give(others)
    expect(await unwrap(ns, 'ci-key')).toMatchObject(refused)
    // One that owns it beside its controller changes nothing.
    await give({ ...others, controller: false }, ours)
    expect(await unwrap(ns, 'ci-key')).toEqual(opened())
    await patch('apikey', ns, 'ci', { spec: { suspend: false } })
    await whenReady('apikey', ns, 'ci')
  })

  test.each([
    ['a Secret that is not there', ['unwrap', '-n', ns, 'nothing'], /there is no Secret "nothing"/],
    ['no name', ['unwrap', '-n', ns], /name one Secret/],
    ['a file that is no envelope', ['unwrap', '--file', 'package.json'], /holds no envelope/],
  ])('says what is wrong with %s', async (_, args, message) => {
    const ended = await system.cardea(args)
    expect(ended).toMatchObject({ code: 1, stdout: '' })
    expect(ended.stderr).toMatch(message)
  })
})

test('cardea check tells by its exit code', async () => {
  const env = { CARDEA_URL: system.auth.url }
  const run = (...args: string[]) => system.cardea(['check', ...args], { input: `${key}\n`, env })
  const allowed = await run('--scope', 'scans:read', '--project', 'scanner')
  expect(allowed).toMatchObject({ code: 0, stderr: '' })
  expect(allowed.stdout).toMatch(/^200 \{"organization":"acme"/)
  expect(await run('--scope', 'scans:delete')).toMatchObject({
    code: 1,
    stdout: expect.stringContaining('insufficient_scope'),
  })
  expect(await run('--origin', 'https://evil.example')).toMatchObject({ code: 1 })
  const unknown = { input: 'nonsense', env }
  expect(await system.cardea(['check'], unknown)).toMatchObject({ code: 1 })
  expect(await system.cardea(['check'], { env })).toMatchObject({ code: 2 })
  expect(await system.cardea(['check'], { input: key })).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('CARDEA_URL'),
  })
  const nobody = { input: key, env: { CARDEA_URL: 'http://127.0.0.1:9' } }
  expect(await system.cardea(['check'], nobody)).toMatchObject({ code: 2, stdout: '' })
})

test('an allowed check says who it is, in headers and in JSON', async () => {
  const answer = await asked('?scope=scans:read&permission=projects:read')
  expect(answer.status).toBe(200)
  expect(answer.json).toMatchObject({
    organization: 'acme',
    project: 'scanner',
    subject: 'ci',
    roles: ['admin'],
    scopes: ['scans:read', 'scans:write'],
  })
  const facts = ['organization', 'project', 'subject', 'roles', 'scopes', 'credential-id']
  expect(facts.map((name) => answer.all(`x-cardea-${name}`))).toEqual([
    ['acme'],
    ['scanner'],
    ['ci'],
    ['admin'],
    ['scans:read scans:write'],
    [answer.json.credentialId],
  ])
})

test('what the key may not is 403', async () => {
  expect(codeOf(await asked('?scope=scans:delete'))).toEqual([403, 'insufficient_scope'])
  expect(codeOf(await asked('?project=other'))).toEqual([403, 'project_not_allowed'])
  expect(codeOf(await asked('', ['Origin', 'https://evil.example']))).toEqual([
    403,
    'origin_not_allowed',
  ])
  expect((await asked('', ['Origin', 'https://ci.acme.example'])).status).toBe(200)
})

test('the client’s address is the peer’s, and behind a trusted proxy what that one says', async () => {
  const from = async (program: Program, ...addresses: string[]) => {
    const forwarded = addresses.map((address) => ['X-Forwarded-For', address] as const)
    const headers = [['x-api-key', key] as const, ...forwarded]
    return codeOf(await ask(`${program.url}/check`, { headers }))
  }
  const [allowed, refused] = [
    [200, undefined],
    [403, 'address_not_allowed'],
  ] as const
  await eventuallyAnswers(behindProxy.url, key, 403)
  expect(await from(behindProxy, '10.1.2.3')).toEqual(allowed)
  expect(await from(behindProxy, '192.0.2.7')).toEqual(refused)
  // What stands before the last hop is what the client wrote.
  expect(await from(behindProxy, '10.1.2.3, 192.0.2.7')).toEqual(refused)
  expect(await from(behindProxy, '10.1.2.3', '192.0.2.7')).toEqual(refused)
  expect(await from(behindProxy, 'nonsense')).toEqual(refused)
  expect(await from(behindProxy)).toEqual(refused)
  // Nobody else is believed.
  expect(await from(system.auth, '192.0.2.7')).toEqual(allowed)
})

test('an expired, a revoked, an unknown and a garbled key are refused all alike', async () => {
  const expiresAt = new Date(Date.now() + 6000).toISOString().replace(/\.\d+Z/, 'Z')
  await apply(anAPIKey(ns, 'short', { expiresAt }), anAPIKey(ns, 'revoked'))
  const keys: Record<string, string> = {}
  for (const name of ['short', 'revoked']) {
    await whenReady('apikey', ns, name)
    keys[name] = await system.unwrap(ns, name)
    await eventuallyAnswers(system.auth.url, keys[name], 200)
  }
  const { short = '', revoked = '' } = keys
  await remove('apikey', ns, 'revoked')
  await eventuallyAnswers(system.auth.url, revoked, 401)
  await sleep(Date.parse(expiresAt) - Date.now() + 5)

  const wrong = {
    expired: short,
    revoked,
    unknown: mintApiKey('ck', Buffer.alloc(apiKeyEntropy, 7)),
    'of another prefix': mintApiKey('zz', Buffer.alloc(apiKeyEntropy, 8)),
    'with a typo': `${key.slice(0, 20)}${key[20] === 'a' ? 'b' : 'a'}${key.slice(21)}`,
    truncated: key.slice(0, -1),
    doubled: key + key,
    'over-long': 'a'.repeat(40_000),
    'not ASCII': `${key}é`,
    empty: '',
  }
  const answers = await Promise.all(
    Object.entries(wrong).map(async ([what, credential]) => {
      const answer = await ask(`${system.auth.url}/check`, {
        headers: [['x-api-key', credential]],
      })
      return [what, withoutChance(answer)] as const
    }),
  )
  const twice = await ask(`${system.auth.url}/check`, {
    headers: [
      ['x-api-key', key],
      ['X-Api-Key', short],
    ],
  })
  const all = Object.fromEntries([...answers, ['given twice', withoutChance(twice)]])
  const [expected] = Object.values(all)
  expect(expected).toContain('"code":"credential_invalid"')
  for (const [what, answer] of Object.entries(all)) expect(answer, what).toBe(expected)
})

/** Status, headers and body without the date and the request's id. */
function withoutChance(answer: Answer): string {
  const { status, rawHeaders, body } = answer
  const [requestId = 'none', ...more] = answer.all('x-request-id')
  expect(more).toEqual([])
  const headers = rawHeaders.filter((_, at) => rawHeaders[at - (at % 2)]?.toLowerCase() !== 'date')
  return [status, ...headers, body].join('\n').replaceAll(requestId, 'ID')
}

test('an identity that the client sends is never echoed, in whatever spelling', async () => {
  const names = ['organization', 'project', 'subject', 'subject-kind', 'roles', 'scopes']
  const spellings = [...names, 'credential-id', 'anything'].flatMap((name) => [
    `x-cardea-${name}`,
    `X-CARDEA-${name.toUpperCase()}`,
    `X_Cardea_${name.replace('-', '_')}`,
    `x-cardea_${name}`,
  ])
  const forged = [...spellings, ...spellings].map((name): [string, string] => [name, 'forged'])
  for (const [credential, status] of [
    [key, 200],
    ['nonsense', 401],
  ] as const) {
    const headers = [['x-api-key', credential] as const, ...forged]
    const answer = await ask(`${system.auth.url}/check`, { headers })
    expect(answer.status).toBe(status)
    expect(answer.rawHeaders.join('\n') + answer.body).not.toContain('forged')
    const own = answer.rawHeaders.filter((name, at) => at % 2 === 0 && /^x[-_]cardea/i.test(name))
    expect(own.length).toBe(new Set(own.map((name) => name.toLowerCase())).size)
    if (status !== 200) expect(own).toEqual([])
  }
})

test('with its namespace everything of it goes, and nobody has the key', async () => {
  await kubectl('delete', 'namespace', ns, '--wait=false')
  for (const { url } of system.auths) await eventuallyAnswers(url, key, 401)
  // Kubernetes itself takes some ten seconds more over a namespace in which something had a finalizer.
  await eventually('the last resource is gone', async () => {
    const left = await kubectl('get', 'cardea', '--namespace', ns, '--output=name')
    return left.trim() === '' ? true : undefined
  })
  const live = await system.sql(
    `select name from cardea.organizations where deleted_at is null
     union all select name from cardea.api_keys where deleted_at is null`,
  )
  expect(live).toEqual([])
  for (const { url } of system.auths) expect(await check(url, key)).toBe(401)
})
