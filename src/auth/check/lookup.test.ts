import { beforeEach, expect, test } from 'vitest'
import { mintApiKey } from '../../domain/apikey.ts'
import type { ApiKeyCredential } from '../index/credential.ts'
import type { IndexKeeper } from '../index/keeper.ts'
import { CredentialLookup } from './lookup.ts'
import { type ReadThrough, UnavailableError } from './readthrough.ts'

const key = mintApiKey('ck', Buffer.alloc(32, 1))
const credential = {
  kind: 'APIKey',
  expiresAt: Number.POSITIVE_INFINITY,
  tenant: { name: 'acme' },
} as ApiKeyCredential
const away = new UnavailableError('away', true)

/** What the index has, what PostgreSQL answers, and how long ago the feed was looked at. */
let indexed: ApiKeyCredential | undefined
let stored: ApiKeyCredential | Error | undefined
let staleness: number
/** Whether the feed took it away. */
let removed: boolean
let asked: number
let lookup: CredentialLookup

beforeEach(() => {
  indexed = credential
  stored = credential
  staleness = 0
  removed = false
  asked = 0
  const index = { imported: 0, find: () => indexed }
  lookup = new CredentialLookup({
    keeper: {
      index,
      loaded: true,
      generation: 1,
      wasRemoved: () => removed,
    } as unknown as IndexKeeper,
    feed: { following: true, staleness: () => staleness },
    readThrough: {
      async find() {
        asked++
        if (stored instanceof Error) throw stored
        return { find: () => stored }
      },
    } as unknown as ReadThrough,
    maxStaleness: 2000,
    maxOutage: 300_000,
  })
})

const find = async () => lookup.find(key, Date.now(), performance.now())

test('while the index follows, nobody else is asked', async () => {
  expect(await find()).toBe(credential)
  expect(asked).toBe(0)
})

test('past the bound PostgreSQL is asked, whatever the index has', async () => {
  staleness = 2001
  stored = undefined
  expect(await find()).toBeUndefined()
  expect(asked).toBe(1)
})

test('a key that was refused once is not good again when an older look comes in late', async () => {
  staleness = 2001
  stored = undefined
  expect(await find()).toBeUndefined()
  // An answer that waited in the socket: it is from before the revocation, and young enough.
  staleness = 1000
  expect(await find()).toBeUndefined()
  expect(asked).toBe(2)
})

test('nor when PostgreSQL goes away then', async () => {
  staleness = 2001
  stored = undefined
  expect(await find()).toBeUndefined()
  stored = away
  await expect(find()).rejects.toBe(away)
})

test('it is good again when PostgreSQL says so', async () => {
  staleness = 2001
  stored = undefined
  expect(await find()).toBeUndefined()
  stored = credential
  expect(await find()).toBe(credential)
  staleness = 1000
  expect(await find()).toBe(credential)
  expect(asked).toBe(2)
})

test('it is good again when a later look says so', async () => {
  staleness = 2001
  stored = undefined
  expect(await find()).toBeUndefined()
  staleness = -1
  expect(await find()).toBe(credential)
  expect(asked).toBe(1)
})

test('with PostgreSQL away what was good is good, for a bounded time', async () => {
  stored = away
  staleness = 2001
  expect(await find()).toBe(credential)
  staleness = 300_001
  await expect(find()).rejects.toBe(away)
})

test('with PostgreSQL away what is not known is not admitted', async () => {
  indexed = undefined
  stored = away
  staleness = 2001
  await expect(find()).rejects.toBe(away)
})

test('what the index does not have yet is looked up', async () => {
  indexed = undefined
  expect(await find()).toBe(credential)
  expect(asked).toBe(1)
})

test('what the feed took away is not brought back by who answers a look-up', async () => {
  indexed = undefined
  removed = true
  expect(await find()).toBeUndefined()
})
