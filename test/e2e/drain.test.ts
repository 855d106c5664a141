import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { check } from '../support/ask.ts'
import { anAPIKey, anOrganization } from '../support/build/resource.ts'
import { testCluster } from '../support/controlplane.ts'
import { apply, eventually, whenReady } from '../support/kube.ts'
import { type System, startSystem } from '../support/system.ts'

const clients = 16

let ns: string
let system: System
let key: string

beforeAll(async () => {
  ns = await testCluster().namespace()
  system = await startSystem({ namespaces: [ns], auths: 0 })
  await apply(
    anOrganization(ns, 'acme'),
    anAPIKey(ns, 'ci', { scopes: ['scans:read', 'cardea:introspect'] }),
  )
  await whenReady('apikey', ns, 'ci')
  key = await system.unwrap(ns, 'ci')
})
afterAll(() => system.stop())

/** A client that keeps its one connection until it is told that it ends. */
async function client(url: string): Promise<{ allowed: number; faults: string[] }> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const faults: string[] = []
  for (let allowed = 0; ; ) {
    try {
      const { status, connection } = await get(`${url}/check`, agent)
      if (status === 200) allowed++
      else faults.push(String(status))
      // It goes on with another replica.
      if (connection === 'close') return { allowed, faults }
    } catch (error) {
      return { allowed, faults: [...faults, (error as Error).message] }
    }
  }
}

function get(url: string, agent: Agent): Promise<{ status: number; connection: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { agent, headers: { 'x-api-key': key } }, (incoming) => {
      const { statusCode: status = 0, headers } = incoming
      incoming.resume()
      incoming.once('end', () => resolve({ status, connection: headers.connection ?? '' }))
      incoming.once('error', reject)
    })
    outgoing.once('error', reject)
    outgoing.end()
  })
}

/** Asks about the key with a body that is only whole after `wait` milliseconds. */
function slowly(url: string, wait: number): Promise<number> {
  const body = `token=${key}`
  const headers = {
    'x-api-key': key,
    'content-type': 'application/x-www-form-urlencoded',
    'content-length': body.length,
  }
  return new Promise((resolve, reject) => {
    const outgoing = request(
      `${url}/oauth2/introspect`,
      { method: 'POST', headers },
      (incoming) => {
        incoming.resume()
        incoming.once('end', () => resolve(incoming.statusCode ?? 0))
      },
    )
    outgoing.once('error', reject)
    outgoing.write(body.slice(0, 10))
    setTimeout(() => outgoing.end(body.slice(10)), wait)
  })
}

/** How often the key was used, as PostgreSQL has it. */
async function usage(): Promise<number> {
  const [row] = await system.sql(
    'select coalesce(sum(uses), 0)::int as uses from cardea.api_key_usage',
  )
  return row?.uses
}

// The chart's, shorter; and none at all, where nobody has to hear of it first.
test.each(['2s', '0s'])(
  'SIGTERM under load drops no request, with a delay of %s',
  async (delay) => {
    const { url, probes, daemon } = await system.startAuth({ CARDEA_DRAIN_DELAY: delay })
    await eventually('it is known', async () =>
      (await check(url, key)) === 200 ? true : undefined,
    )
    const before = await usage()
    const running = Array.from({ length: clients }, () => client(url))
    const slow = slowly(url, 2500)
    await sleep(1000)
    const asked = performance.now()
    daemon.signal('SIGTERM')
    if (delay !== '0s') {
      await eventually('it says so', async () =>
        (await fetch(`${probes}/readyz`)).status === 503 ? true : undefined,
      )
      // Whoever has not heard yet is served.
      expect(await check(url, key)).toBe(200)
    }
    const outcomes = await Promise.all(running)
    expect(await slow).toBe(200)
    await eventually('it ends', () => daemon.ended)
    console.info(`ended ${(performance.now() - asked).toFixed(0)} ms after SIGTERM`)
    expect(daemon.ended).toBe('exited with 0')

    expect(outcomes.flatMap(({ faults }) => faults)).toEqual([])
    const allowed = outcomes.reduce((sum, outcome) => sum + outcome.allowed, 0)
    console.info(`${allowed} requests of ${clients} clients, none lost`)
    // Those, the first, the introspection's own, and the one that had not heard.
    expect((await usage()) - before).toBe(allowed + (delay === '0s' ? 2 : 3))
  },
)
