import { expect, test } from 'vitest'
import { claimOf, describeOwner, type Owned, type Owner, ownedBy } from './ownership.ts'

const owner: Owner = { installation: 'default', namespace: 'acme', name: 'ci' }
const unowned: Owned = {
  managedBy: 'api',
  ownerInstallation: null,
  ownerNamespace: null,
  ownerName: null,
}

test.each<[string, string, Partial<Owner>]>([
  ['its own owner', 'ours', {}],
  ['another installation', 'foreign', { installation: 'other' }],
  ['another namespace', 'foreign', { namespace: 'other' }],
  ['another name', 'foreign', { name: 'other' }],
])('a record of %s is %s', (_, claim, change) => {
  expect(claimOf(ownedBy({ ...owner, ...change }), owner)).toBe(claim)
})

test('a record of the API is nobody’s, and one that is retained is still its owner’s', () => {
  expect(claimOf(unowned, owner)).toBe('unowned')
  expect(claimOf({ ...ownedBy(owner), deletedAt: new Date() }, owner)).toBe('ours')
})

test.each<[Owned, string]>([
  [unowned, 'the HTTP API'],
  [ownedBy(owner), 'APIKey acme/ci of installation default'],
  [
    { ...ownedBy(owner), deletedAt: new Date() },
    'the deleted APIKey acme/ci of installation default',
  ],
])('an owner is named so that people find it', (record, text) => {
  expect(describeOwner('APIKey', record)).toBe(text)
})
