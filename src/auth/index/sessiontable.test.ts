import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { anIndexedOrganization, anIndexedSession } from '../../../test/support/build/indexed.ts'
import { digestApiKey } from '../../domain/apikey.ts'
import { CredentialIndex } from './credentialindex.ts'
import { sessionKey } from './sessiontable.ts'

const digest = (text: string) => digestApiKey(text).toString('latin1')
const ids = Array.from({ length: 6 }, () => randomUUID())

test('whatever is replaced, in whichever order, the index has the last of each session and no more', () => {
  const change = fc.record({
    id: fc.constantFrom(...ids),
    text: fc.option(fc.integer({ min: 0, max: 8 })),
    user: fc.constantFrom('ann', 'bob'),
  })
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
      const index = new CredentialIndex()
      const model = new Map<string, { text: number; user: string }>()
      for (const { id, text, user } of changes) {
        model.delete(id)
        for (const [other, known] of model) if (known.text === text) model.delete(other)
        if (text !== null) model.set(id, { text, user })
        const rows = text === null ? [] : [anIndexedSession({ id, text: `${text}`, userId: user })]
        index.replaceSessions([id], rows)
      }
      expect(index.sessions).toBe(model.size)
      for (let text = 0; text <= 8; text++) {
        const [id, known] = [...model].find(([, { text: has }]) => has === text) ?? []
        const found = index.findSession(digest(`${text}`))
        expect([found?.id, found?.user.id]).toEqual([id, known?.user])
      }
    }),
  )
})

test.each([0, 3000])(
  'thousands of sessions come and go without losing anybody, with room made for %i',
  (sessions) => {
    const index = new CredentialIndex()
    index.reserve({ secrets: 0, sessions }, new CredentialIndex())
    const rows = Array.from({ length: 5000 }, (_, at) =>
      anIndexedSession({ text: `${at}`, userId: `user-${at % 100}`, authenticatedAt: at + 0.5 }),
    )
    index.addSessions(rows)
    const gone = rows.filter((_, at) => at % 2 === 0).map(({ id }) => id)
    expect(index.replaceSessions(gone, [])).toHaveLength(2500)
    index.addSessions(
      Array.from({ length: 1000 }, (_, at) => anIndexedSession({ text: `new-${at}` })),
    )
    expect(index.sessions).toBe(3500)
    for (const [at, { id }] of rows.entries()) {
      const found = index.findSession(digest(`${at}`))
      expect(found?.id).toBe(at % 2 === 0 ? undefined : id)
      if (found)
        expect([found.user.id, found.authenticatedAt]).toEqual([`user-${at % 100}`, at + 0.5])
    }
  },
)

test('a session says all that its row says', () => {
  const index = new CredentialIndex()
  index.setOrganizations([anIndexedOrganization()])
  const row = anIndexedSession({
    text: 't',
    kind: 'token',
    authenticatedAt: 1_700_000_000_123,
    lastSeenAt: 1_700_000_005_000,
    idleTimeout: 3600,
    expiresAt: 1_700_600_000_000,
  })
  index.addSessions([row])
  expect(index.findSession(digest('t'))).toMatchObject({
    id: row.id,
    kind: 'User',
    sessionKind: 'token',
    authenticatedAt: 1_700_000_000_123,
    lastSeenAt: 1_700_000_005_000,
    idleTimeout: 3_600_000,
    expiresAt: 1_700_600_000_000,
    name: 'ann@acme.example',
    tenant: { name: 'acme' },
  })
})

test('all sessions of a person share who they are, and nobody is remembered without one', () => {
  const index = new CredentialIndex()
  const [first, second] = [anIndexedSession({ text: '1' }), anIndexedSession({ text: '2' })]
  index.addSessions([first, second])
  const user = index.findSession(digest('1'))?.user
  expect(index.findSession(digest('2'))?.user).toBe(user)
  index.tenant('organization').setUser('user', { ...first, active: false })
  expect(index.findSession(digest('2'))?.isEnded).toBe(true)
  index.replaceSessions([first.id], [])
  expect(index.findSession(digest('2'))?.user).toBe(user)
  index.replaceSessions([second.id], [])
  expect(user?.sessions).toBe(0)
  index.addSessions([first])
  expect(index.findSession(digest('1'))?.user).not.toBe(user)
})

test('when it was seen outlives a change of its row, and a reload', () => {
  let index = new CredentialIndex()
  const row = anIndexedSession({ text: 't', lastSeenAt: 10_000 })
  index.addSessions([row])
  const found = index.findSession(digest('t'))
  if (!found) throw new Error('it is there')
  index.touch(found, 90)
  index.touch(found, 80)
  expect(index.lastSeen(row.id)).toBe(90)
  index.replaceSessions([row.id], [{ ...row, expiresAt: row.expiresAt + 1000 }])
  expect(index.lastSeen(row.id)).toBe(90)
  const next = new CredentialIndex()
  next.addSessions([row], index)
  index = next
  expect(index.findSession(digest('t'))?.lastSeenAt).toBe(90_000)
})

test('what was found before another session took its place is not mixed up with that one', () => {
  const index = new CredentialIndex()
  const former = anIndexedSession({ text: 'former' })
  index.addSessions([former])
  const found = index.findSession(digest('former'))
  if (!found) throw new Error('it is there')
  const present = anIndexedSession({ text: 'present', userId: 'other', email: 'bob@acme.example' })
  index.replaceSessions([former.id], [present])
  expect([found.id, found.name]).toEqual([former.id, 'ann@acme.example'])
  index.touch(found, 1_000_000)
  expect(index.lastSeen(present.id)).toBe(0)
})

test('what is over is swept away, an idle one some minutes later', () => {
  const index = new CredentialIndex()
  index.addSessions([
    anIndexedSession({ text: 'expired', expiresAt: 1000 }),
    anIndexedSession({ text: 'idle', lastSeenAt: 0, idleTimeout: 1 }),
    anIndexedSession({ text: 'live' }),
  ])
  index.sweep(1000, 10)
  expect(index.sessions).toBe(2)
  index.sweep(300_000, 10)
  expect(index.sessions).toBe(2)
  index.sweep(301_000, 10)
  expect(index.findSession(digest('live'))).toBeDefined()
  expect(index.sessions).toBe(1)
})

test('which sessions are gone is told by their keys', () => {
  const index = new CredentialIndex()
  const [kept, gone] = [anIndexedSession({ text: 'kept' }), anIndexedSession({ text: 'gone' })]
  index.addSessions([kept, gone])
  const moved = { ...kept, id: randomUUID() }
  const keys = index.replaceSessions([kept.id, gone.id, moved.id], [moved])
  expect(keys).toEqual([sessionKey(digest('gone'))])
})
