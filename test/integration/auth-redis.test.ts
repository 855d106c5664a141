import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
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

/** Sends so many requests, ten at a time, in turn to each replica. @returns their statuses */
async function flood(count: number, address: string): Promise<readonly number[]> {
  const statuses: number[] = []
  while (statuses.length < count) {
    const size = Math.min(10, count - statuses.length)
    const asked = Array.from({ length: size }, (_, at) => refresh(at % 2, address))
    for (const { status } of await Promise.all(asked)) statuses.push(status)
  }
  return statuses
}

const refresh = (replica: number, address: string) =>
  ask(`${replicas[replica]?.url}/api/auth/refresh`, {
    method: 'POST',
    body: '{"refresh_token":"x"}',
    headers: [
      ['content-type', 'application/json'],
      ['x-forwarded-for', address],
    ],
  })

const limited = (statuses: readonly number[]) => statuses.filter((status) => status === 429).length
const away = 'Redis is away: each replica counts for itself'
const back = 'Redis is back: all replicas count together'
const said = (message: string) =>
  replicas.flatMap(({ lines }) => lines).filter(({ msg }) => msg === message).length

/** How many replicas count with the others. */
const together = async () => {
  const each = replicas.map((replica) => replica.metric('cardea_rate_limits_shared'))
  return (await Promise.all(each)).reduce((sum, one) => sum + one, 0)
}

test('all replicas count together', async () => {
  await eventually(together).toBe(2)
  expect(limited(await flood(130, '198.51.100.1'))).toBe(10)
})

/** Counts at a server, by itself. @param warn is told why it does not */
function windowsAt(url: string, warn: (detail: object) => void = () => {}): SharedWindows {
  const settings = { CARDEA_PUBLIC_URL: 'http://localhost:1', CARDEA_REDIS_URL: url }
  const server = readPeopleConfig(settings)?.redis
  if (!server) throw new Error('there is no server')
  const nothing = () => {}
  const log = { debug: nothing, info: nothing, warn, error: nothing }
  return new SharedWindows(server, log)
}

test('what is counted ends by itself', async () => {
  const windows = windowsAt(redis.url)
  expect(windows.together).toBe(false)
  windows.start()
  await eventually(() => windows.together).toBe(true)
  const key = `test:${Math.random()}`
  await eventually(async () => (await windows.add(key, 300)).rest).toBeLessThan(300)
  await eventually(async () => (await windows.add(key, 300)).count).toBe(1)
  windows.stop()
})

describe('by TLS (ASVS 12.3.2)', () => {
  const [known, strange] = [selfSigned(['127.0.0.1']), selfSigned(['127.0.0.1'])]
  const misnamed = selfSigned(['redis.example'])
  trust(known)
  trust(misnamed)

  async function startAt(certificate: typeof known) {
    const server = await startRedis(certificate)
    onTestFinished(() => server.close())
    const warnings: string[] = []
    const windows = windowsAt(server.url, (detail) => warnings.push(JSON.stringify(detail)))
    onTestFinished(() => windows.stop())
    windows.start()
    return { windows, warnings }
  }

  test('it is counted at a server whose certificate is trusted', async () => {
    const { windows } = await startAt(known)
    await eventually(() => windows.together).toBe(true)
  })

  test.each([
    ['that nobody trusts', strange, /self-signed/],
    ['of another name', misnamed, /altnames/],
  ])('nothing is said to a server with a certificate %s', async (_name, certificate, reason) => {
    const { windows, warnings } = await startAt(certificate)
    await eventually(() => warnings).toEqual([expect.stringMatching(reason)])
    await windows.add('test', 1000)
    expect(windows.together).toBe(false)
  })
})

test('without the server each replica counts for itself and says so once, and together again when it is back', async () => {
  const [saidAway, saidBack] = [said(away), said(back)]
  await redis.stop()
  // Each has its own 120.
  const statuses = await flood(250, '198.51.100.2')
  expect(limited(statuses)).toBe(10)
  expect(statuses.every((status) => status === 429 || status === 400)).toBe(true)
  expect(said(away) - saidAway).toBe(2)
  expect(await together()).toBe(0)
  await redis.start()
  await eventually(async () => {
    await flood(2, '198.51.100.3')
    return together()
  }).toBe(2)
  expect(said(back) - saidBack).toBe(2)
  expect(limited(await flood(130, '198.51.100.4'))).toBe(10)
})

test('a server that hangs holds up nobody for long', async () => {
  redis.freeze()
  const started = performance.now()
  const statuses = await flood(20, '198.51.100.5')
  expect(performance.now() - started).toBeLessThan(3000)
  expect(statuses).toEqual(Array.from({ length: 20 }, () => 400))
  const again = performance.now()
  await flood(20, '198.51.100.5')
  expect(performance.now() - again).toBeLessThan(3000)
  expect(await together()).toBe(0)
  redis.thaw()
  await eventually(async () => {
    await flood(2, '198.51.100.6')
    return together()
  }).toBe(2)
})
