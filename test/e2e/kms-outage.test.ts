import { afterAll, beforeAll, expect, test } from 'vitest'
import { ask, check } from '../support/ask.ts'
import {
  anAPIKey,
  anEncryptionKey,
  anOrganization,
  aProviderCredential,
} from '../support/build/resource.ts'
import { testCluster } from '../support/controlplane.ts'
import { apply, eventually, get, kubectl, request, whenReady } from '../support/kube.ts'
import { type OpenBao, startOpenBao } from '../support/openbao.ts'
import { metric } from '../support/program.ts'
import { type System, startSystem } from '../support/system.ts'

/** Seconds: how long a data key serves without the key manager. */
const lifetime = 15
const value = 'sk-third-party-canary-0123456789'

let ns: string
let bao: OpenBao
let system: System
let key: string

beforeAll(async () => {
  ns = await testCluster().namespace()
  bao = await startOpenBao()
  const kek = await bao.createKey()
  await bao.allow([kek])
  const { address, login } = bao.settings
  if (login.method !== 'approle') throw new Error('an AppRole logs in here')
  const settings = {
    CARDEA_KMS: `vault:transit/${kek}`,
    CARDEA_KMS_KEYS: `${ns}=vault:transit/${kek}`,
    CARDEA_KMS_VAULT_ADDRESS: address,
    CARDEA_KMS_VAULT_LOGIN: 'approle',
    CARDEA_KMS_VAULT_ROLE_ID: login.roleId,
    CARDEA_KMS_VAULT_SECRET_ID_FILE: login.secretIdFile,
  }
  system = await startSystem({
    namespaces: [ns],
    operatorSettings: settings,
    authSettings: { ...settings, CARDEA_DATA_KEY_LIFETIME: `${lifetime}s` },
  })
  const literal = `--from-literal=token=${value}`
  await kubectl('create', 'secret', 'generic', 'openai-key', `--namespace=${ns}`, literal)
  await apply(
    anEncryptionKey(ns, 'primary', { vault: { mount: 'transit', name: kek } }),
    anOrganization(ns, 'acme', { encryptionKeyRef: { name: 'primary' } }),
    aProviderCredential(ns, 'openai'),
    anAPIKey(ns, 'worker', {
      scopes: ['provider-credentials:resolve'],
      secretRef: { name: 'worker-key', format: 'Envelope' },
    }),
  )
  for (const [kind, name] of [
    ['encryptionkey', 'primary'],
    ['providercredential', 'openai'],
    ['apikey', 'worker'],
  ] as const) {
    await whenReady(kind, ns, name)
  }
  const { stdout } = await system.cardea(['unwrap', '-n', ns, 'worker-key'], { env: settings })
  key = stdout
  await eventually('the key is known', async () =>
    (await check(system.auth.url, key)) === 200 ? true : undefined,
  )
}, 120_000)
afterAll(async () => {
  process.kill(bao.server.daemon.pid, 'SIGCONT')
  await system.stop()
  await bao.stop()
})

/** Asks for the credential. */
async function resolve() {
  const started = performance.now()
  const answer = await ask(`${system.auth.url}/v1/provider-credentials/resolve`, {
    method: 'POST',
    headers: [
      ['x-api-key', key],
      ['content-type', 'application/json'],
    ],
    body: JSON.stringify({ provider: 'openai' }),
  })
  const body = JSON.parse(answer.body) as { code?: string; credential?: { value: string } }
  return { answer, body, took: performance.now() - started }
}

/** Checks one request after another until it is stopped. */
function checking() {
  const stop = new AbortController()
  const took: number[] = []
  let wrong = 0
  const running = (async () => {
    while (!stop.signal.aborted) {
      const started = performance.now()
      if ((await check(system.auth.url, key)) !== 200) wrong += 1
      took.push(performance.now() - started)
      await new Promise((next) => {
        setTimeout(next, 5)
      })
    }
  })()
  return async () => {
    stop.abort()
    await running
    took.sort((a, b) => a - b)
    return { wrong, checks: took.length, p99: took[Math.floor(took.length * 0.99)] ?? 0 }
  }
}

const reasonOf = async (kind: string, name: string) =>
  (await get(kind, ns, name))?.status?.conditions?.find(
    (condition: { type: string }) => condition.type === 'Ready',
  )?.reason

test('a key manager that is stopped for a minute', async () => {
  expect((await resolve()).body.credential?.value).toBe(value)
  const stopChecking = checking()
  process.kill(bao.server.daemon.pid, 'SIGSTOP')
  const stoppedAt = performance.now()
  const since = () => (performance.now() - stoppedAt) / 1000
  await request('encryptionkey', ns, 'primary', 'reconcile-requested-at', 'while it is away')
  await apply(anAPIKey(ns, 'late'))

  let lastGood = 0
  let firstRefused = Number.POSITIVE_INFINITY
  while (since() < lifetime + 15) {
    const { answer, body } = await resolve()
    if (answer.status === 200) lastGood = since()
    else {
      expect(answer.status).toBe(503)
      expect(body.code).toBe('key_management_unavailable')
      expect(Number(answer.all('retry-after')[0])).toBeGreaterThan(0)
      firstRefused = Math.min(firstRefused, since())
    }
    await new Promise((next) => {
      setTimeout(next, 250)
    })
  }
  // What was cached serves until its bound, and never beyond it.
  expect(lastGood).toBeGreaterThan(lifetime * 0.4)
  expect(lastGood).toBeLessThan(lifetime + 1)
  expect(firstRefused).toBeGreaterThanOrEqual(lastGood)
  await eventually('the condition says so', async () =>
    (await reasonOf('encryptionkey', 'primary')) === 'KeyManagementUnavailable' ? true : undefined,
  )
  await eventually('the new key waits', async () =>
    (await reasonOf('apikey', 'late')) === 'KeyManagementUnavailable' ? true : undefined,
  )
  const failures = await metric(system.operator, 'cardea_encryption_key_probe_failures_total')
  expect([...failures.values()].reduce((sum, count) => sum + count, 0)).toBeGreaterThan(0)

  const before = bao.wire.requests()
  const from = since()
  while (since() < 60) {
    await new Promise((next) => {
      setTimeout(next, 500)
    })
  }
  const asked = bao.wire.requests() - before
  process.kill(bao.server.daemon.pid, 'SIGCONT')
  const { wrong, checks, p99 } = await stopChecking()
  expect(wrong).toBe(0)
  // Two programs that left it alone: a few tries a minute, however many passes wait for it.
  expect(asked / (since() - from)).toBeLessThan(2)

  const recoveredFrom = performance.now()
  // At once: whoever asks while it is still left alone must be remembered.
  await request('apikey', ns, 'late', 'reconcile-requested-at', 'again')
  await request('encryptionkey', ns, 'primary', 'reconcile-requested-at', 'again')
  await eventually('the credential is given out again', async () =>
    (await resolve()).answer.status === 200 ? true : undefined,
  )
  const recovered = (performance.now() - recoveredFrom) / 1000
  await whenReady('apikey', ns, 'late')
  await whenReady('encryptionkey', ns, 'primary')
  process.stdout.write(
    `cached for ${lastGood.toFixed(1)} s of ${lifetime} s, refused from ${firstRefused.toFixed(1)} s on; ${asked} requests to it in the last ${(since() - from).toFixed(0)} s; given out again ${recovered.toFixed(1)} s after it was back; ${checks} checks meanwhile, p99 ${p99.toFixed(1)} ms\n`,
  )
}, 180_000)

test('a key manager that takes two seconds for each answer slows nobody who does not need it', async () => {
  const stopUsual = checking()
  await new Promise((next) => {
    setTimeout(next, 2000)
  })
  const usual = await stopUsual()
  bao.wire.slow(2000)
  // So that the cached key is over, and the next request has to wait.
  await new Promise((next) => {
    setTimeout(next, lifetime * 1000)
  })
  const stopChecking = checking()
  const results = await Promise.all(Array.from({ length: 20 }, resolve))
  const { wrong, p99 } = await stopChecking()
  bao.wire.slow(0)
  const statuses = results.map(({ answer }) => answer.status)
  process.stdout.write(
    `twenty requests that need it: ${[...new Set(statuses)].join(', ')} after ${Math.max(...results.map(({ took }) => took)).toFixed(0)} ms; checks beside them p99 ${p99.toFixed(1)} ms, before ${usual.p99.toFixed(1)} ms\n`,
  )
  expect(wrong).toBe(0)
  expect(statuses.every((status) => status === 200 || status === 503)).toBe(true)
  expect(p99).toBeLessThan(1000)
}, 60_000)
