import { expect, test } from 'vitest'
import { namesOwner, objectionToPerson, type Room } from './invitation.ts'
import { isPersonName } from './personname.ts'

const room: Room = {
  displayName: 'Acme',
  domains: ['acme.example'],
  exists: false,
  people: 3,
  maxPeople: 4,
}

test.each<[string, Partial<Room>, string | undefined]>([
  ['there is room', {}, undefined],
  ['any domain will do', { domains: [] }, undefined],
  ['there is no limit', { people: 1e6, maxPeople: undefined }, undefined],
  ['the domain is another', { domains: ['acme.test'] }, 'email_domain_not_allowed'],
  ['the domain is a part of it alone', { domains: ['example'] }, 'email_domain_not_allowed'],
  ['somebody has the address', { exists: true }, 'member_exists'],
  ['there is no room', { people: 4 }, 'quota_exceeded'],
  ['there must be nobody', { people: 0, maxPeople: 0 }, 'quota_exceeded'],
  [
    'a member of another domain is asked about',
    { domains: ['acme.test'], exists: true },
    'email_domain_not_allowed',
  ],
])('where %s, the objection is %j', (_, change, code) => {
  expect(objectionToPerson('ada@acme.example', { ...room, ...change })?.code).toBe(code)
})

test('people are told which domains will do', () => {
  const { detail } = objectionToPerson('eve@evil.example', room) ?? {}
  expect(detail).toBe('Acme takes addresses that end in @acme.example.')
})

test.each([
  [[' Ada@acme.example'], true],
  [['bob@acme.example'], false],
  [[], false],
])('owners %j are ada@acme.example among others: %s', (owners, named) => {
  expect(namesOwner(owners, 'ada@acme.example')).toBe(named)
})

test.each([
  ['', true],
  ['Ada Lovelace', true],
  ['阿达', true],
  ['x'.repeat(120), true],
  ['x'.repeat(121), false],
  ['a\nb', false],
  ['a\u0000b', false],
  ['a\u2029b', false],
  ['\ud800', false],
])('%j can be what a person is called: %s', (name, can) => {
  expect(isPersonName(name)).toBe(can)
})
