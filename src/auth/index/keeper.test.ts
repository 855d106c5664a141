import { beforeEach, expect, test } from 'vitest'
import { anIndexedOrganization } from '../../../test/support/build/indexed.ts'
import type { Change } from '../../db/changes.ts'
import type { Queryable } from '../../db/credentialindex.ts'
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

const changed = (organizationId: string, concept: string, recordId: string) =>
  ({ organizationId, concept, recordId }) as Change

interface StoredRow {
  readonly id: string
  readonly [column: string]: unknown
}

/** What the database holds, by the function that gives it out. */
let stored: Record<string, readonly StoredRow[]>
let keeper: IndexKeeper

const db: Queryable = {
  async query<Row extends object>(text: string, [ids]: unknown[]) {
    const source = /cardea\.(\w+)/.exec(text)?.[1]?.replace('_page', '') ?? ''
    const rows = (stored[source] ?? []).filter(({ id }) => !Array.isArray(ids) || ids.includes(id))
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
