import { afterAll, beforeAll, expect, test } from 'vitest'
import { SharedWindows } from '../../src/auth/ratelimit/redis.ts'
import { readPeopleConfig } from '../../src/config/people.ts'
import { ask } from '../support/ask.ts'
import { eventually, peoplesSettings, type RunningAuth, startAuth } from '../support/authservice.ts'
import { selfSigned, trust } from '../support/certificate.ts'
import { testDatabase } from '../support/postgres.ts'
import { type RunningRedis, startRedis } from '../support/redis.ts'

const database = await testDatabase()
const redis: RunningRedis = await startRedis()
const replicas: RunningAuth[] = []

beforeAll(async () => {
  for (let replica = 0; replica < 2; replica++) {
    const settings = await peoplesSettings({ CARDEA_REDIS_URL: redis.url })
    replicas.push(await startAuth(database.authUrl, settings))
  }
})
afterAll(async () => {
  await Promise.all(replicas.map((replica) => replica.stop()))
  await redis.close()
  await database.drop()
})

/** Sends so many requests at once, in turn to each replica. @returns their statuses */
async function flood(count: number, address: string): Promise<readonly number[]> {
  const asked = Array.from({ length: count }, (_, at) =>
    ask(`${replicas[at % 2]?.url}/api/auth/refresh`, {
      method: 'POST',
      body: '{"refresh_token":"x"}',
      headers: [
        ['content-type', 'application/json'],
        ['x-forwarded-for', address],
      ],
    }),
  )
  return (await Promise.all(asked)).map(({ status }) => status)
}

const limited = (statuses: readonly number[]) => statuses.filter((status) => status === 429).length
const said = (message: string) =>
  replicas.flatMap(({ lines }) => lines).filter(({ msg }) => msg === message).length

const together = () => replicas[0]?.metric('cardea_rate_limits_shared')

test('all replicas count together', async () => {
  await eventually(together).toBe(1)
  expect(limited(await flood(130, '198.51.100.1'))).toBe(10)
})

/** Counts at a server, by itself. */
function windowsAt(url: string): SharedWindows {
  const settings = { CARDEA_PUBLIC_URL: 'http://localhost:1', CARDEA_REDIS_URL: url }
  const server = readPeopleConfig(settings)?.redis
  if (!server) throw new Error('there is no server')
  const nothing = () => {}
  const log = { debug: nothing, info: nothing, warn: nothing, error: nothing }
  const windows = new SharedWindows(server, log)
  windows.start()
  return windows
}

test('what is counted ends by itself', async () => {
  const windows = windowsAt(redis.url)
  const key = `test:${Math.random()}`
  await eventually(async () => (await windows.add(key, 300)).rest).toBeLessThan(300)
  await eventually(async () => (await windows.add(key, 300)).count).toBe(1)
  windows.stop()
})

test('by TLS, nothing is said to a server whose certificate nobody trusts, or that has another name (ASVS 12.3.2)', async () => {
  const [known, strange] = [selfSigned(['127.0.0.1']), selfSigned(['127.0.0.1'])]
  const misnamed = selfSigned(['redis.example'])
  trust(known)
  trust(misnamed)
  const togetherAt = async (certificate: typeof known) => {
    const server = await startRedis(certificate)
    const windows = windowsAt(server.url)
    const seen: boolean[] = []
    for (let second = 0; second < 3; second += 0.5) {
      await windows.add('test', 1000)
      seen.push(windows.together)
      await new Promise((resolve) => setTimeout(resolve, 500))
    }
    windows.stop()
    await server.close()
    return seen.at(-1)
  }
  expect(await Promise.all([known, strange, misnamed].map(togetherAt))).toEqual([
    true,
    false,
    false,
  ])
})

test('without the server each replica counts for itself and says so once, and together again when it is back', async () => {
  await redis.stop()
  // Each has its own 120.
  const statuses = await flood(250, '198.51.100.2')
  expect(limited(statuses)).toBe(10)
  expect(statuses.every((status) => status === 429 || status === 400)).toBe(true)
  expect(said('Redis is away: each replica counts for itself')).toBe(2)
  expect(await together()).toBe(0)
  await redis.start()
  await eventually(async () => {
    await flood(2, '198.51.100.3')
    return said('Redis is back: all replicas count together')
  }).toBe(2)
  expect(limited(await flood(130, '198.51.100.4'))).toBe(10)
})

test('a server that hangs holds up nobody for long', async () => {
  redis.freeze()
  const started = performance.now()
  const statuses = await flood(20, '198.51.100.5')
  expect(performance.now() - started).toBeLessThan(1500)
  expect(statuses).toEqual(Array.from({ length: 20 }, () => 400))
  const again = performance.now()
  await flood(20, '198.51.100.5')
  expect(performance.now() - again).toBeLessThan(1000)
  redis.thaw()
  await eventually(async () => {
    await flood(2, '198.51.100.6')
    return said('Redis is back: all replicas count together')
  }).toBe(4)
})
