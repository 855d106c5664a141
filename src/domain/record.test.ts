import { expect, test } from 'vitest'
import { type Owned, type Owner, ownedBy } from './ownership.ts'
import { addsRecord, decideRecord, differences, type RecordAction } from './record.ts'

const owner: Owner = { installation: 'default', namespace: 'acme', name: 'ci' }
interface Row extends Owned {
  readonly scopes: readonly string[]
  readonly settings: object
  readonly expiresAt: Date | null
}
const values = { scopes: ['a'], settings: { b: 1, a: { c: 2 } }, expiresAt: new Date(0) }
const ours: Row = { ...ownedBy(owner), ...values }
const api: Row = {
  ...values,
  managedBy: 'api',
  ownerInstallation: null,
  ownerNamespace: null,
  ownerName: null,
}
const foreign: Row = { ...ours, ownerNamespace: 'other' }
const deleted: Row = { ...ours, deletedAt: new Date() }
const edited: Row = { ...ours, scopes: ['b'] }
const update = (why: string, ...fields: string[]) => ({ action: 'update', why, fields })

test.each<[string, Row | undefined, { adopt?: boolean; applied?: boolean }, object]>([
  ['there is none', undefined, {}, { action: 'insert' }],
  ['it agrees', ours, {}, { action: 'none' }],
  ['it agrees, whatever was asked for', ours, { adopt: true, applied: true }, { action: 'none' }],
  ['the spec was edited', edited, {}, update('updated', 'scopes')],
  ['the record was edited', edited, { applied: true }, update('drifted', 'scopes')],
  ['it is retained', deleted, {}, update('restored', 'deletedAt')],
  ['somebody deleted it', deleted, { applied: true }, update('drifted', 'deletedAt')],
  ['it was made by the API', api, {}, { action: 'conflict', adoptable: true }],
  ['it may be adopted', api, { adopt: true }, update('adopted')],
  ['it is another’s', foreign, { adopt: true }, { action: 'conflict', adoptable: false }],
  [
    'it is another’s and retained',
    { ...foreign, deletedAt: new Date() },
    { adopt: true },
    { action: 'conflict', adoptable: false },
  ],
])('when %s', (_, found, { adopt = false, applied = false }, action) => {
  expect(decideRecord(found, owner, values, { adopt, applied })).toEqual(action)
})

test('values differ as JSON keeps them: in any order of names, with dates as times, absent as null', () => {
  const row = { ...ours, settings: { a: { c: 2 }, b: 1 } }
  expect(differences(row, values)).toEqual([])
  expect(differences<{ a: number | null | undefined }>({ a: null }, { a: undefined })).toEqual([])
  expect(differences(row, { expiresAt: new Date(1) })).toEqual(['expiresAt'])
  expect(differences<Row>(row, { scopes: ['a', 'b'], settings: {} })).toEqual([
    'scopes',
    'settings',
  ])
})

test.each<[RecordAction, boolean]>([
  [{ action: 'insert' }, true],
  [{ action: 'update', why: 'restored', fields: [] }, true],
  // These were counted before.
  [{ action: 'update', why: 'adopted', fields: [] }, false],
  [{ action: 'update', why: 'drifted', fields: ['deletedAt'] }, false],
  [{ action: 'update', why: 'updated', fields: [] }, false],
  [{ action: 'none' }, false],
])('%j is one record more: %s', (action, more) => {
  expect(addsRecord(action)).toBe(more)
})
