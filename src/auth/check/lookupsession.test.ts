import { randomUUID } from 'node:crypto'
import { beforeEach, expect, test } from 'vitest'
import { anIndexedOrganization, anIndexedSession } from '../../../test/support/build/indexed.ts'
import { mintSession, tokenSessionDigest } from '../../domain/session.ts'
import { CredentialIndex } from '../index/credentialindex.ts'
import type { IndexKeeper } from '../index/keeper.ts'
import { CredentialLookup } from './lookup.ts'
import { type ReadThrough, UnavailableError } from './readthrough.ts'

const now = 1_800_000_000_000
const text = mintSession(Buffer.alloc(32, 1))
const cookie = anIndexedSession({ text, lastSeenAt: now, idleTimeout: 3600 })
const ofToken = anIndexedSession({ kind: 'token', lastSeenAt: now, idleTimeout: 3600 })
const tokenRow = { ...ofToken, digest: tokenSessionDigest(ofToken.id) }
const claims = {
  sessionDigest: tokenRow.digest.toString('latin1'),
  sub: 'user',
  org_id: 'organization',
  jti: randomUUID(),
  iat: 0,
  exp: 0,
}
const away = new UnavailableError('away', true)

/** What the index has, what PostgreSQL has, and how long ago the feed was looked at. */
let index: CredentialIndex
let stored: CredentialIndex | Error
let staleness: number
let removed: boolean
let asked: (string | undefined)[]
let lookup: CredentialLookup

function anIndex(rows = [cookie, tokenRow]): CredentialIndex {
  const made = new CredentialIndex()
  made.setOrganizations([anIndexedOrganization()])
  made.addSessions(rows)
  return made
}

beforeEach(() => {
  index = anIndex()
  stored = anIndex()
  staleness = 0
  removed = false
  asked = []
  lookup = new CredentialLookup({
    keeper: {
      get index() {
        return index
      },
      loaded: true,
      generation: 1,
      reloads: 1,
      wasSessionRemoved: () => removed,
    } as unknown as IndexKeeper,
    feed: { following: true, staleness: () => staleness },
    readThrough: {
      async find(_digest: string, jti?: string) {
        asked.push(jti)
        if (stored instanceof Error) throw stored
        return stored
      },
    } as unknown as ReadThrough,
    maxStaleness: 2000,
    maxOutage: 300_000,
  })
})

const find = async (at = now) => lookup.findSession(text, at, performance.now())
const findToken = async (over = {}) =>
  lookup.findTokenSession({ ...claims, ...over }, now, performance.now())

test('while the index follows, nobody else is asked', async () => {
  expect(await find()).toMatchObject({ id: cookie.id })
  expect(await findToken()).toMatchObject({ id: ofToken.id, token: { jti: claims.jti } })
  expect(asked).toEqual([])
})

test('what cannot be a session’s text is not looked up', async () => {
  index = anIndex([])
  for (const wrong of ['', 'session_x', `${text}x`, text.toUpperCase(), 'x'.repeat(600)]) {
    expect(await lookup.findSession(wrong, now, performance.now())).toBeUndefined()
  }
  expect(asked).toEqual([])
})

test('a session that the index does not have is looked up, and once only when it is not there', async () => {
  index = anIndex([])
  expect(await find()).toMatchObject({ id: cookie.id })
  stored = anIndex([])
  expect(await find()).toBeUndefined()
  expect(await find()).toBeUndefined()
  expect(asked).toHaveLength(2)
})

test('what the feed took away is not brought back by who answers a look-up', async () => {
  index = anIndex([])
  removed = true
  expect(await find()).toBeUndefined()
  expect(await findToken()).toBeUndefined()
})

test('past the bound PostgreSQL is asked about the session and about the token', async () => {
  staleness = 2001
  const revoked = anIndex()
  revoked.setRevokedToken('organization', claims.jti, true)
  stored = revoked
  expect(await findToken()).toBeUndefined()
  expect(asked).toEqual([claims.jti])
  expect(await findToken({ jti: randomUUID() })).toMatchObject({ id: ofToken.id })
})

test('a token that was refused once is not good again when an older look comes in late', async () => {
  staleness = 2001
  const revoked = anIndex()
  revoked.setRevokedToken('organization', claims.jti, true)
  stored = revoked
  expect(await findToken()).toBeUndefined()
  staleness = 1000
  expect(await findToken()).toBeUndefined()
  expect(asked).toHaveLength(2)
  stored = away
  expect(await findToken().catch((error: unknown) => error)).toBe(away)
})

test('a token that the index knows to be revoked is refused at once, however old the index is', async () => {
  index.setRevokedToken('organization', claims.jti, true)
  expect(await findToken()).toBeUndefined()
  staleness = 200_000
  stored = away
  expect(await findToken()).toBeUndefined()
  expect(asked).toEqual([])
})

test.each<[string, object]>([
  ['of another person', { sub: 'somebody' }],
  ['of another organization', { org_id: 'other' }],
  ['of a session of a browser', { sessionDigest: cookie.digest.toString('latin1') }],
])('a token %s has no session', async (_, over) => {
  expect(await findToken(over)).toBeUndefined()
})

test('with PostgreSQL away what was good is good, for a bounded time', async () => {
  stored = away
  staleness = 2001
  expect(await find()).toMatchObject({ id: cookie.id })
  expect(await findToken()).toMatchObject({ id: ofToken.id })
  staleness = 300_001
  await expect(find()).rejects.toBe(away)
})

test('one that seems idle lives on when another replica saw it, and is not asked about again', async () => {
  const later = now + 3_600_000
  stored = anIndex([{ ...cookie, lastSeenAt: later - 1000 }])
  expect((await find(later))?.isIdle(later)).toBe(false)
  expect((await find(later))?.isIdle(later)).toBe(false)
  expect(asked).toHaveLength(1)
})

test('one that is idle for everybody is asked about once', async () => {
  const later = now + 3_600_000
  for (let round = 0; round < 3; round++) expect((await find(later))?.isIdle(later)).toBe(true)
  expect(asked).toHaveLength(1)
})

test('whether one that seems idle was seen elsewhere, nobody can say while PostgreSQL is away', async () => {
  stored = away
  await expect(find(now + 3_600_000)).rejects.toBe(away)
})

test('what was seen here counts though it is not written down yet', async () => {
  const later = now + 3_600_000
  const found = await find()
  if (found) index.touch(found, Math.floor(later / 1000) - 1)
  staleness = 2001
  expect((await find(later))?.isIdle(later)).toBe(false)
})
