import { beforeEach, expect, test } from 'vitest'
import { anIndexedOrganization } from '../../../test/support/build/indexed.ts'
import type { Queryable } from '../../db/credentialindex.ts'
import type { Position } from '../../db/position.ts'
import { ReadThrough, UnavailableError } from './readthrough.ts'

const digest = '\u0001'.repeat(32)
const key = {
  organizationId: 'A',
  id: 'key',
  name: 'ci',
  projectId: null,
  policy: '[[],[],[],null,null,null]',
  secretId: 'secret',
  digest: `\\x${'01'.repeat(32)}`,
  imported: false,
  createdAt: 0,
  expiresAt: null,
}

/** Where the feed is, and where the database that is asked. */
let feed: { position: Position | undefined }
let answered: Position
let asked: number
let whileAsked: () => void
let readThrough: ReadThrough

beforeEach(() => {
  feed = { position: { server: '1/5/00000002', snapshot: '100:105:101,103' } }
  answered = { server: '1/5/00000002', snapshot: '104:110:' }
  asked = 0
  whileAsked = () => {}
  const db = {
    async query() {
      asked++
      whileAsked()
      const rest = { projects: [], roles: [], roleBindings: [], sessions: [], accessTokens: [] }
      const row = {
        ...answered,
        ...rest,
        apiKeys: [{ ...key }],
        organizations: [anIndexedOrganization({ id: 'A' })],
      }
      return { rows: [row] }
    },
  } as unknown as Queryable
  const quiet = () => {}
  const log = { debug: quiet, info: quiet, warn: quiet, error: quiet }
  readThrough = new ReadThrough(db, feed, log)
})

async function refusal(): Promise<boolean | undefined> {
  const error: unknown = await readThrough.find(digest).catch((reason: unknown) => reason)
  return error instanceof UnavailableError ? error.databaseAway : undefined
}

test('the database that the feed follows is believed', async () => {
  expect((await readThrough.find(digest)).find(digest)).toMatchObject({
    name: 'ci',
    tenant: { name: 'acme' },
  })
})

test.each([
  ['a standby', '1/5/standby'],
  ['the primary before the last failover', '1/5/00000001'],
  ['another database of the server', '1/6/00000002'],
  ['another server', '2/5/00000002'],
])('%s is not believed, and nothing is served for want of it', async (_, server) => {
  answered = { ...answered, server }
  expect(await refusal()).toBe(false)
  expect(readThrough.outcomes).toEqual({ found: 0, absent: 0, failed: 1 })
})

test('a copy that stayed behind is not believed', async () => {
  answered = { ...answered, snapshot: '100:104:101,103' }
  expect(await refusal()).toBe(false)
})

test('nor is one in which a transaction runs that the feed has seen the end of', async () => {
  answered = { ...answered, snapshot: '102:110:102' }
  expect(await refusal()).toBe(false)
})

test('a server that was promoted is not asked yet; it is as if there were none', async () => {
  answered = { ...answered, server: '1/5/00000003' }
  expect(await refusal()).toBe(true)
})

test('what the feed sees while the answer is on its way, the answer need not have', async () => {
  whileAsked = () => {
    feed.position = { server: '1/5/00000002', snapshot: '120:120:' }
  }
  expect((await readThrough.find(digest)).find(digest)).toMatchObject({ name: 'ci' })
})

test('an answer of the server that the feed has left is not believed', async () => {
  whileAsked = () => {
    feed.position = { server: '1/5/00000003', snapshot: '104:110:' }
  }
  expect(await refusal()).toBe(false)
})

test('before the feed has seen anything, nobody knows whom to ask', async () => {
  feed.position = undefined
  expect(await refusal()).toBe(false)
  expect(asked).toBe(0)
})

test('after a refusal nobody asks for a moment, and the reason stays', async () => {
  answered = { ...answered, server: '1/5/standby' }
  expect(await refusal()).toBe(false)
  expect(await refusal()).toBe(false)
  expect(asked).toBe(1)
})
