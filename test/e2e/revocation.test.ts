import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { check } from '../support/ask.ts'
import { anOrganization } from '../support/build/resource.ts'
import { testCluster } from '../support/controlplane.ts'
import { type Minted, mintKeys } from '../support/keys.ts'
import { apply, eventually, remove, whenReady } from '../support/kube.ts'
import { metric, type Program } from '../support/program.ts'
import { cutListeners, measureRefusals, tellTimes as tell } from '../support/revocation.ts'
import { type System, startSystem } from '../support/system.ts'
import { openWire, type Wire } from '../support/wire.ts'
import { Witness } from '../support/witness.ts'

/** Milliseconds after which nobody may have the key any more, whatever is cut. */
const promise = 3000
const replicas = 4

let ns: string
let system: System
let witnesses: readonly Witness[] = []
let database: Client
let wire: Wire
/** Those that are revoked, by whom it is done. */
let keys: Record<'deleted' | 'committed' | 'cut' | 'silent' | 'paused', readonly Minted[]>

beforeAll(async () => {
  ns = await testCluster().namespace()
  system = await startSystem({ namespaces: [ns], auths: replicas })
  await apply(anOrganization(ns, 'acme'))
  await whenReady('organization', ns, 'acme')
  const mint = (name: string, count: number) => mintKeys(system, ns, name, count)
  keys = {
    deleted: await mint('deleted', 100),
    committed: await mint('committed', 100),
    cut: await mint('cut', 10),
    silent: await mint('silent', 5),
    paused: await mint('paused', 5),
  }
  const valid = (await mint('valid', 10)).map(({ key }) => key)
  database = await connect()
  wire = await openWire(Number(new URL(system.database.authUrl).port))
  // One more, the feed of which can be silenced. It has the others' load once it is there.
  const listening = wire.through(system.database.authUrl)
  await system.startAuth({ CARDEA_CHANGES_DATABASE_URL: listening })
  witnesses = system.auths.map(({ url }) => new Witness(url, valid))
  const all = Object.values(keys).flat()
  for (const { url } of witnesses) await eventuallyKnown(url, all.at(-1)?.key ?? '')
  for (const witness of witnesses) witness.start()
})
afterEach(() => {
  for (const { faults } of witnesses) expect(faults).toEqual([])
})
afterAll(async () => {
  await Promise.all(witnesses.map((witness) => witness.stop()))
  await database?.end()
  await system?.stop()
  await wire?.close()
})

const eventuallyKnown = (url: string, key: string) =>
  eventually('the key is known', async () => ((await check(url, key)) === 200 ? true : undefined))

async function connect(): Promise<Client> {
  const client = new Client({ connectionString: system.database.superuserUrl })
  // When the file fails, the database goes before its clients.
  client.on('error', () => {})
  await client.connect()
  return client
}

/** Revokes a record; answers when that was committed. */
async function revoke({ id }: Minted): Promise<number> {
  await database.query(
    `begin; update cardea.api_keys set deleted_at = now() where id = '${id}'; commit`,
  )
  return performance.now()
}

const measure = (
  minted: Minted,
  act: () => Promise<number>,
  whom: readonly Witness[] = witnesses.slice(0, replicas),
) => measureRefusals(minted.key, act, whom)

async function expectNobodyHas(minted: readonly Minted[]): Promise<void> {
  for (const { url } of witnesses) {
    const answers = await Promise.all(minted.map(({ key }) => check(url, key)))
    expect(new Set(answers)).toEqual(new Set([401]))
  }
}

test('a key that is deleted with kubectl is refused by every replica, and stays so', async () => {
  const asked = witnesses.map((witness) => witness.asked)
  const started = performance.now()
  const each: number[][] = []
  for (const minted of keys.deleted) {
    const times = await measure(minted, async () => {
      await remove('apikey', ns, minted.name)
      return performance.now()
    })
    each.push([...times])
  }
  const seconds = (performance.now() - started) / 1000
  const load = witnesses.map(({ asked: now }, at) => (now - (asked[at] ?? 0)) / seconds)
  console.info(`beside ${load.map((rate) => rate.toFixed(0)).join(', ')} checks a second`)
  tell('deletion to the first 401, each replica', each.flat())
  tell(
    'deletion to 401 everywhere',
    each.map((times) => Math.max(...times)),
  )
  expect(Math.max(...each.flat())).toBeLessThan(promise)
  await expectNobodyHas(keys.deleted)
  // What follows revokes in the database, which an operator would take for an edit by hand and put right.
  await system.operator.daemon.stop()
})

test('a commit reaches four replicas under load', async () => {
  const last: number[] = []
  for (const minted of keys.committed) {
    last.push(Math.max(...(await measure(minted, () => revoke(minted)))))
  }
  tell('commit to the last replica’s 401 (G8: p99 ≤ 50 ms)', last)
  expect(Math.max(...last)).toBeLessThan(promise)
  await expectNobodyHas(keys.committed)
})

test('with its listener cut again and again a replica refuses within three seconds', async () => {
  const scissors = await connect()
  const cutting = cutListeners(scissors)
  await sleep(500)
  const waiting: Promise<readonly number[]>[] = []
  for (const minted of keys.cut) {
    waiting.push(measure(minted, () => revoke(minted)))
    await sleep(100)
  }
  const times = (await Promise.all(waiting)).flat()
  await cutting
  await scissors.end()
  tell('commit to 401 with the listener cut', times)
  expect(Math.max(...times)).toBeLessThan(promise)
  await expectNobodyHas(keys.cut)
})

test('with its listener silent a replica refuses within three seconds', async () => {
  const deaf = witnesses.slice(replicas)
  const program = system.auths[replicas] as Program
  await eventually('it follows again', async () =>
    Number((await metric(program, 'cardea_index_staleness_seconds')).get('')) < 0.5
      ? true
      : undefined,
  )
  wire.silence()
  const waiting: Promise<readonly number[]>[] = []
  for (const minted of keys.silent) {
    waiting.push(measure(minted, () => revoke(minted), deaf))
    await sleep(100)
  }
  const times = (await Promise.all(waiting)).flat()
  tell('commit to 401 with the listener silent', times)
  expect(Math.max(...times)).toBeLessThan(promise)
  await expectNobodyHas(keys.silent)
  wire.speak()
})

test('a replica that was frozen meanwhile does not answer with what it knew', async () => {
  const [frozen] = system.auths
  const [, ...others] = witnesses.slice(0, replicas)
  if (!frozen) throw new Error('there is no replica')
  const first = witnesses[0] as Witness
  await first.stop()
  frozen.daemon.signal('SIGSTOP')
  const pending = keys.paused.map(({ key }) => check(frozen.url, key))
  for (const minted of keys.paused) await measure(minted, () => revoke(minted), others)
  // Longer than its index may be stale; what was asked waits in its sockets.
  await sleep(2200)
  const late = keys.paused.map(({ key }) => check(frozen.url, key))
  frozen.daemon.signal('SIGCONT')
  const answers = await Promise.all([...pending, ...late])
  console.info(`answers of a replica that was frozen: ${answers.join(' ')}`)
  expect(answers).not.toContain(200)
  await expectNobodyHas(keys.paused)
})
