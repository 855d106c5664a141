import { hash } from 'node:crypto'
import { beforeEach, expect, test } from 'vitest'
import { anIndexedOrganization, anIndexedSession } from '../../../test/support/build/indexed.ts'
import type { Change } from '../../db/changes.ts'
import type { IndexedSession, Queryable } from '../../db/credentialindex.ts'
import { IndexKeeper } from './keeper.ts'

const digest = (byte: number) => Buffer.alloc(32, byte)
const textOf = (byte: number) => digest(byte).toString('latin1')

function aKey(organizationId: string, id: string, byte: number, name = 'ci') {
  return {
    organizationId,
    id,
    name,
    projectId: null,
    policy: '[[],[],[],null,null,null]',
    secretId: `${organizationId}-${id}-${byte}`,
    digest: digest(byte),
    imported: false,
    createdAt: 0,
    expiresAt: null,
  }
}

function aBinding(organizationId: string, id: string, role: string) {
  const subjects = [{ kind: 'APIKey', name: 'ci' }]
  return { organizationId, id, projectId: null, role, subjects }
}

const sessionId = '01a1ffb0-6a72-7803-a1f2-38205ea507f7'

function aSession(byte: number, fields: Partial<IndexedSession> = {}) {
  return {
    ...anIndexedSession({ organizationId: 'A', id: sessionId, digest: digest(byte), ...fields }),
  }
}

const changed = (organizationId: string, concept: string, recordId: string) =>
  ({ organizationId, concept, recordId }) as Change

interface StoredRow {
  readonly id: string
  readonly [column: string]: unknown
}

/** What the database holds, by the function that gives it out. */
let stored: Record<string, readonly StoredRow[]>
let keeper: IndexKeeper

/** By which pages are in order. */
const placeOf = ({ id, secretId }: StoredRow) => (typeof secretId === 'string' ? secretId : id)

const db: Queryable = {
  async query<Row extends object>(text: string, [ids, size]: unknown[]) {
    const name = /cardea\.(\w+)/.exec(text)?.[1] ?? ''
    const all = stored[name.replace('_page', '')] ?? []
    const rows = name.endsWith('_page')
      ? all.filter((row) => typeof ids !== 'string' || placeOf(row) > ids).slice(0, Number(size))
      : all.filter(({ id }) => !Array.isArray(ids) || ids.includes(id))
    return { rows } as unknown as Awaited<ReturnType<typeof db.query<Row>>>
  },
}

beforeEach(async () => {
  stored = {
    index_organizations: [
      { ...anIndexedOrganization({ id: 'A' }) },
      { ...anIndexedOrganization({ id: 'B', name: 'bolt' }) },
    ],
    index_roles: [{ organizationId: 'A', id: 'role', name: 'runner', permissions: ['scans:run'] }],
    index_projects: [{ organizationId: 'A', id: 'project', name: 'scanner' }],
    index_role_bindings: [aBinding('A', 'binding', 'owner')],
    index_api_keys: [aKey('A', 'a', 1), aKey('B', 'b', 2)],
    index_sessions: [aSession(10)],
    index_revoked_access_tokens: [{ organizationId: 'A', id: 'revoked' }],
  }
  keeper = new IndexKeeper()
  await keeper.reload(db)
})

const rolesOf = (byte: number) => keeper.index.find(textOf(byte))?.rolesOn(undefined).roles

test('a change that names another organization brings in nothing', async () => {
  await keeper.apply(
    [
      changed('B', 'role_binding', 'binding'),
      changed('B', 'role', 'role'),
      changed('B', 'project', 'project'),
    ],
    db,
  )
  expect(rolesOf(1)).toEqual(['owner'])
  expect(rolesOf(2)).toEqual([])
  expect(keeper.index.tenant('B').projectByName('scanner')).toBeUndefined()
  stored['index_role_bindings'] = [
    aBinding('A', 'binding', 'owner'),
    aBinding('B', 'own', 'runner'),
  ]
  await keeper.apply([changed('B', 'role_binding', 'own')], db)
  expect(rolesOf(2)).toEqual([])
})

test.each([
  ['before', 0],
  ['after', 1],
])('a forged change does not hide a real one that comes %s it', async (_, at) => {
  stored['index_role_bindings'] = []
  const changes = [changed('B', 'role_binding', 'binding')]
  await keeper.apply(changes.toSpliced(at, 0, changed('A', 'role_binding', 'binding')), db)
  expect(rolesOf(1)).toEqual([])
})

test('two organizations may have records of one id', async () => {
  stored['index_role_bindings'] = [
    aBinding('A', 'binding', 'viewer'),
    aBinding('B', 'binding', 'auditor'),
  ]
  const changes = ['A', 'B'].map((organization) => changed(organization, 'role_binding', 'binding'))
  await keeper.apply(changes, db)
  expect([rolesOf(1), rolesOf(2)]).toEqual([['viewer'], ['auditor']])
})

test('two organizations may have keys of one id, and neither is taken for the other', async () => {
  stored['index_api_keys'] = [aKey('A', 'a', 1), aKey('B', 'a', 3, 'deploy'), aKey('A', 'a', 4)]
  await keeper.apply([changed('B', 'api_key', 'a')], db)
  const found = [1, 3, 4].map((byte) => keeper.index.find(textOf(byte)))
  expect(found.map((key) => [key?.tenant.id, key?.name])).toEqual([
    ['A', 'ci'],
    ['B', 'deploy'],
    ['A', 'ci'],
  ])
  stored['index_api_keys'] = [aKey('A', 'a', 1)]
  await keeper.apply([changed('B', 'api_key', 'a')], db)
  expect([1, 3, 4].map((byte) => keeper.index.find(textOf(byte)) !== undefined)).toEqual([
    true,
    false,
    false,
  ])
})

test('what was taken away is remembered, until it is there again', async () => {
  stored['index_api_keys'] = [aKey('B', 'b', 2)]
  await keeper.apply([changed('A', 'api_key', 'a')], db)
  expect([1, 2, 3].map((byte) => keeper.wasRemoved(textOf(byte)))).toEqual([true, false, false])
  stored['index_api_keys'] = [aKey('A', 'again', 1)]
  await keeper.apply([changed('A', 'api_key', 'again')], db)
  expect(keeper.wasRemoved(textOf(1))).toBe(false)
})

const session = (byte: number) => keeper.index.findSession(textOf(byte))

test('sessions, and what was revoked, are there from the start', () => {
  expect(session(10)).toMatchObject({ id: sessionId, tenant: { name: 'acme' } })
  expect(keeper.index.isRevoked('A', 'revoked')).toBe(true)
  expect(keeper.index.isRevoked('B', 'revoked')).toBe(false)
})

test('a session that is over is gone, and is remembered as such', async () => {
  stored['index_sessions'] = []
  await keeper.apply([changed('A', 'session', sessionId)], db)
  expect(session(10)).toBeUndefined()
  expect([keeper.wasSessionRemoved(textOf(10)), keeper.wasSessionRemoved(textOf(11))]).toEqual([
    true,
    false,
  ])
})

test('a session that got another text has no other any more', async () => {
  stored['index_sessions'] = [aSession(11)]
  await keeper.apply([changed('A', 'session', sessionId)], db)
  expect([session(10)?.id, session(11)?.id]).toEqual([undefined, sessionId])
  expect(keeper.wasSessionRemoved(textOf(10))).toBe(true)
})

test('a person who changed is another one in all of their sessions', async () => {
  const { email, groups } = anIndexedSession()
  const row = { organizationId: 'A', id: 'user', email, groups, revokedBefore: null }
  stored['index_users'] = [{ ...row, active: false }]
  await keeper.apply([changed('A', 'user', 'user')], db)
  expect(session(10)?.isEnded).toBe(true)
  stored['index_users'] = [{ ...row, active: true, email: 'ann@acme.test' }]
  await keeper.apply([changed('A', 'user', 'user')], db)
  expect([session(10)?.isEnded, session(10)?.name]).toEqual([false, 'ann@acme.test'])
  stored['index_users'] = []
  await keeper.apply([changed('A', 'user', 'user')], db)
  expect(session(10)?.isEnded).toBe(true)
})

test('a change of another organization’s person or token changes nothing here', async () => {
  stored['index_users'] = []
  await keeper.apply([changed('B', 'user', 'user'), changed('B', 'access_token', 'revoked')], db)
  expect(session(10)?.isEnded).toBe(false)
  expect(keeper.index.isRevoked('A', 'revoked')).toBe(true)
})

test('sign-ins do not make anybody ask again about keys that there are not', async () => {
  const { generation } = keeper
  stored['index_sessions'] = [aSession(10), aSession(12, { id: sessionId.replace('7', '8') })]
  await keeper.apply([changed('A', 'session', sessionId.replace('7', '8'))], db)
  expect(keeper.generation).toBe(generation)
})

/** More than a page of sessions. */
const manySessions = (count: number) =>
  Array.from({ length: count }, (_, n) => {
    const id = `01a1ffb0-6a72-7803-a1f2-${String(n).padStart(12, '0')}`
    return aSession(0, { id, digest: hash('sha256', id, 'buffer') })
  })

test.each([0, 99, 100, 101, 200, 250])(
  '%i sessions are loaded, in however many pages',
  async (count) => {
    stored['index_sessions'] = manySessions(count)
    await keeper.reload(db)
    expect(keeper.index.sessions).toBe(count)
  },
)

test('the next page is asked for before one is put in; who cannot put one in does not wait for it', async () => {
  const sessions = manySessions(250)
  const [first = aSession(0)] = sessions
  stored['index_sessions'] = sessions.with(0, { ...first, userId: undefined as never, id: 'no id' })
  const asked: unknown[] = []
  const failing: Queryable = {
    query: (text, values) => {
      if (!text.includes('index_sessions_page')) return db.query(text, values)
      asked.push(values[0])
      return asked.length === 1
        ? db.query(text, values)
        : Promise.reject(new Error('the connection is lost'))
    },
  }
  await expect(keeper.reload(failing)).rejects.not.toThrow('the connection is lost')
  expect(asked).toEqual([null, sessions[99]?.id])
  expect(keeper.index.sessions).toBe(1)
})

test('a page that cannot be read leaves what there was', async () => {
  stored['index_sessions'] = manySessions(250)
  let pages = 0
  const failing: Queryable = {
    query: (text, values) => {
      if (!text.includes('index_sessions_page') || ++pages < 3) return db.query(text, values)
      return Promise.reject(new Error('the connection is lost'))
    },
  }
  await expect(keeper.reload(failing)).rejects.toThrow('the connection is lost')
  expect(keeper.index.sessions).toBe(1)
  expect(keeper.reloads).toBe(1)
})
