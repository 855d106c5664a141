import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { PostgresServer } from '../../hack/local/postgres.ts'
import { apiKeyEntropy, mintApiKey } from '../../src/domain/apikey.ts'
import { check } from '../support/ask.ts'
import { anAPIKey, anOrganization } from '../support/build/resource.ts'
import { testCluster } from '../support/controlplane.ts'
import { mintKeys } from '../support/keys.ts'
import { apply, eventually, remove, whenReady } from '../support/kube.ts'
import { startPostgres } from '../support/postgres.ts'
import type { Program } from '../support/program.ts'
import { type System, startSystem } from '../support/system.ts'
import { makeTemplate, query, TEMPLATE, urlsOf } from '../support/template.ts'
import { openWire, type Wire } from '../support/wire.ts'

/** Milliseconds for which known keys are served without PostgreSQL, here. */
const maxOutage = 4000
const away = 9000
/** Milliseconds within which everything must be well again. */
const promise = 30_000
const unknown = mintApiKey('ck', Buffer.alloc(apiKeyEntropy, 5))

let ns: string
let postgres: PostgresServer
let system: System
/** Between PostgreSQL and the last replica. */
let wire: Wire
let known: string
let revoked: string

beforeAll(async () => {
  ns = await testCluster().namespace()
  postgres = await startPostgres()
  const superuserUrl = postgres.superuserUrl('postgres')
  await makeTemplate(superuserUrl)
  await query(superuserUrl, `create database outage template ${TEMPLATE}`)
  const database = { name: 'outage', ...urlsOf(superuserUrl, 'outage'), drop: async () => {} }
  system = await startSystem({
    namespaces: [ns],
    auths: 2,
    database,
    authSettings: { CARDEA_MAX_OUTAGE: `${maxOutage}ms` },
  })
  wire = await openWire(postgres.port)
  const through = wire.through(database.authUrl)
  await system.startAuth({ CARDEA_DATABASE_URL: through, CARDEA_MAX_OUTAGE: '5m' })
  await apply(anOrganization(ns, 'acme'))
  const [first, second] = await mintKeys(system, ns, 'key', 2)
  known = first?.key ?? ''
  revoked = second?.key ?? ''
  await settled(revoked, 200)
  await remove('apikey', ns, second?.name ?? '')
  await settled(revoked, 401)
  await settled(known, 200)
})
afterAll(async () => {
  await system.stop()
  await wire.close()
  await postgres.stop()
})

/** Resolves when every replica answers so. */
async function settled(key: string, status: number): Promise<void> {
  for (const { url } of system.auths) {
    await eventually(
      `${url} answers ${status}`,
      async () => ((await check(url, key)) === status ? true : undefined),
      promise,
    )
  }
}

interface Said {
  /** Milliseconds after the outage began, when it was asked and when it was answered. */
  readonly asked: number
  readonly at: number
  readonly who: 'known' | 'unknown' | 'revoked' | 'garbled'
  readonly status: number
}

/** Asks replicas about all sorts of keys until it is stopped. */
function load(replicas: readonly Program[]) {
  const began = performance.now()
  const answers: Said[] = []
  const ended = new AbortController()
  const keys = { known, unknown, revoked, garbled: `${known.slice(0, -1)}?` } as const
  const ask = async (url: string, who: Said['who']): Promise<void> => {
    while (!ended.signal.aborted) {
      const asked = performance.now() - began
      const status = await check(url, keys[who])
      answers.push({ asked, at: performance.now() - began, who, status })
      await sleep(10)
    }
  }
  const loops = replicas.flatMap(({ url }) =>
    (Object.keys(keys) as Said['who'][]).map((who) => ask(url, who)),
  )
  return {
    async stop(): Promise<readonly Said[]> {
      ended.abort()
      await Promise.all(loops)
      return answers
    },
  }
}

const statuses = (answers: readonly Said[]) => [...new Set(answers.map((said) => said.status))]

const readiness = async ({ probes }: Program, path = 'readyz') =>
  (await fetch(`${probes}/${path}`)).status

test('PostgreSQL is killed: known keys are good for a bounded time, others never, and all recovers', async () => {
  const replicas = system.auths.slice(0, 2)
  const traffic = load(replicas)
  let back = 0
  const began = performance.now()
  await postgres.crashAndRestart(async () => {
    await apply(anAPIKey(ns, 'meanwhile'))
    await sleep(away - (performance.now() - began))
    for (const program of replicas) expect(await readiness(program)).toBe(503)
    for (const program of [...replicas, system.operator])
      expect(await readiness(program, 'healthz')).toBe(200)
    back = performance.now() - began
  })
  await settled(known, 200)
  await settled(unknown, 401)
  for (const program of replicas) {
    await eventually('it is ready', async () =>
      (await readiness(program)) === 200 ? true : undefined,
    )
  }
  const recovered = performance.now() - began - back
  console.info(`all well ${recovered.toFixed(0)} ms after PostgreSQL was started again`)
  expect(recovered).toBeLessThan(promise)
  const answers = await traffic.stop()

  const of = (who: Said['who'], from = 0, to = Number.POSITIVE_INFINITY) =>
    answers.filter((said) => said.who === who && said.asked >= from && said.at <= to)
  // The last look at the feed was up to half a second before the crash, and one in flight takes its time.
  expect(statuses(of('known', 0, maxOutage - 1000))).toEqual([200])
  expect(statuses(of('known', maxOutage + 1000, back))).toEqual([503])
  expect(statuses(of('known')).toSorted((a, b) => a - b)).toEqual([200, 503])
  for (const status of statuses([...of('unknown'), ...of('revoked')])) {
    expect([401, 503]).toContain(status)
  }
  expect(statuses(of('garbled'))).toEqual([401])
  expect(of('known', maxOutage + 1000, back).length).toBeGreaterThan(50)

  await eventually(
    'the operator goes on',
    async () => whenReady('apikey', ns, 'meanwhile').catch(() => undefined),
    promise,
  )
  for (const { daemon } of [...system.auths, system.operator]) expect(daemon.ended).toBeUndefined()
})

test('PostgreSQL says nothing: every request has its answer in time, and none is a wrong one', async () => {
  const [silent] = system.auths.slice(2)
  if (!silent) throw new Error('there is no replica')
  await settled(known, 200)
  const traffic = load([silent])
  wire.silence()
  await sleep(6000)
  wire.speak()
  const answers = await traffic.stop()
  const of = (who: Said['who']) => answers.filter((said) => said.who === who)
  expect(statuses(of('known'))).toEqual([200])
  expect(statuses(of('unknown'))).toContain(503)
  for (const status of statuses([...of('unknown'), ...of('revoked')])) {
    expect([401, 503]).toContain(status)
  }
  const slowest = Math.max(...answers.map(({ asked, at }) => at - asked))
  console.info(`the slowest of ${answers.length} answers took ${slowest.toFixed(0)} ms`)
  expect(slowest).toBeLessThan(5000)
  await settled(known, 200)
  await settled(unknown, 401)
})
