import { Registry } from 'prom-client'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Queryable } from '../../db/credentialindex.ts'
import type { ClaimedMail } from '../../db/mail.ts'
import type { MailReport } from './delivery.ts'
import { MailStatistics } from './statistics.ts'
import { MailWorker } from './worker.ts'

const concurrency = 4
const interval = 2000

/** What waits, how each delivery ends, and what was asked of the queue. */
let queue: ClaimedMail[]
let end: (mail: ClaimedMail) => Promise<MailReport>
let claims: number[]
let given: string[]
let broken: Error | undefined
let logged: string[]
let worker: MailWorker

beforeEach(() => {
  vi.useFakeTimers()
  vi.spyOn(Math, 'random').mockReturnValue(0.5)
  ;[queue, claims, given, logged, broken] = [[], [], [], [], undefined]
  end = async () => ({ outcome: 'sent' })
  const db = {
    async query(text: string, [, most]: readonly unknown[]) {
      if (broken) throw broken
      if (!text.includes('claim_mails')) return { rows: [{ queued: '7', oldest: null }] }
      claims.push(Number(most))
      return { rows: queue.splice(0, Number(most)) }
    },
  } as unknown as Queryable
  const log = {
    debug: () => {},
    info: (_detail: object, message: string) => void logged.push(message),
    warn: (_detail: object, message: string) => void logged.push(message),
    error: () => {},
  }
  worker = new MailWorker({
    db,
    delivery: {
      deliver: (mail) => end(mail),
      giveBack: async ({ id }) => void given.push(id),
    },
    statistics: new MailStatistics(new Registry()),
    log,
    concurrency,
    lease: 60,
    interval,
    backlogInterval: 10_000,
  })
})
afterEach(async () => {
  const stopped = worker.stop()
  await vi.runAllTimersAsync()
  await stopped
  vi.useRealTimers()
  vi.restoreAllMocks()
})

const mails = (count: number): ClaimedMail[] =>
  Array.from({ length: count }, (_, at) => ({ organizationId: 'acme', id: `mail-${at}` }))
const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds)

test('what waits is taken a few at a time, without a rest between', async () => {
  queue = mails(10)
  worker.start()
  await pass(0)
  expect(claims).toEqual([4, 4, 4])
})

test('an empty queue is looked at now and then, and soon when somebody says that something came', async () => {
  worker.start()
  await pass(0)
  expect(claims).toHaveLength(1)
  await pass(interval - 1)
  expect(claims).toHaveLength(1)
  await pass(1)
  expect(claims).toHaveLength(2)
  worker.wake()
  await pass(25)
  expect(claims).toHaveLength(3)
})

test('whoever says it while others just have causes no look of their own', async () => {
  worker.start()
  await pass(0)
  for (let at = 0; at < 25; at++) {
    worker.wake()
    await pass(1)
  }
  expect(claims).toHaveLength(2)
  await pass(100)
  expect(claims).toHaveLength(2)
})

test('what came during a look is seen by the next one', async () => {
  worker.start()
  worker.wake()
  await pass(25)
  expect(claims).toHaveLength(2)
})

test('while the server is away one mail at a time is tried, ever later, however often somebody wakes it', async () => {
  queue = mails(50)
  end = async () => ({ outcome: 'unreachable', reason: 'ESOCKET ECONNREFUSED' })
  worker.start()
  await pass(0)
  worker.wake()
  await pass(999)
  worker.wake()
  expect(claims).toEqual([4])
  await pass(1)
  expect(claims).toEqual([4, 1])
  await pass(2000)
  await pass(4000)
  expect(claims).toEqual([4, 1, 1, 1])
  await pass(60_000)
  expect(claims.length).toBeLessThan(12)
  expect(logged).toEqual(['the mail server takes nothing; mails wait'])
})

test('while the server is away, mails that are not for it hold up none that is', async () => {
  queue = mails(50)
  end = async ({ id }) =>
    id === 'mail-0' || id === 'mail-49'
      ? { outcome: 'unreachable', reason: 'ESOCKET' }
      : { outcome: id.endsWith('1') ? 'expired' : 'unwanted' }
  worker.start()
  await pass(0)
  expect(claims).toEqual([4])
  await pass(1000)
  expect(queue).toEqual([])
  expect(claims).toEqual([4, ...Array.from({ length: 46 }, () => 1)])
})

test('once it takes one again, all that wait go', async () => {
  queue = mails(8)
  let away = true
  end = async () => (away ? { outcome: 'unreachable', reason: 'ESOCKET' } : { outcome: 'sent' })
  worker.start()
  await pass(0)
  away = false
  await pass(1000)
  expect(claims).toEqual([4, 1, 4])
  expect(logged.at(-1)).toBe('the mail server takes mails again')
})

test('a mail that the server refuses shows that the server is there', async () => {
  queue = mails(8)
  end = async ({ id }) =>
    id === 'mail-0'
      ? { outcome: 'refused', reason: '550' }
      : { outcome: 'unreachable', reason: 'ECONNECTION' }
  worker.start()
  await pass(0)
  expect(claims).toEqual([4, 4])
})

test('a mail that breaks is given back, and takes nothing along', async () => {
  queue = mails(2)
  end = async ({ id }) => {
    if (id === 'mail-0') throw new Error('broken')
    return { outcome: 'sent' }
  }
  worker.start()
  await pass(0)
  expect(given).toEqual(['mail-0'])
  queue = mails(1)
  await pass(interval)
  expect(claims).toHaveLength(2)
})

test('a database that is away is asked again later', async () => {
  broken = new Error('connect ECONNREFUSED')
  worker.start()
  await pass(0)
  expect(logged).toEqual(['the queue of mails could not be read; later'])
  broken = undefined
  await pass(interval)
  expect(claims).toHaveLength(1)
})

test('the end waits for what is under way, and takes nothing new', async () => {
  queue = mails(5)
  const { promise, resolve } = Promise.withResolvers<MailReport>()
  end = () => promise
  worker.start()
  await pass(0)
  let stopped = false
  const stopping = worker.stop().then(() => {
    stopped = true
  })
  await pass(10_000)
  expect(stopped).toBe(false)
  resolve({ outcome: 'sent' })
  await stopping
  expect(claims).toEqual([4])
})
