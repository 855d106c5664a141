import { expect, test } from 'vitest'
import { decideOwnerInvitations, type PendingInvitation } from './ownerinvitation.ts'

const now = new Date('2026-11-21T12:00:00Z')
const [ann, bob] = ['ann@acme.example', 'bob@acme.example']
const later = new Date('2026-11-25T12:00:00Z')
const before = new Date('2026-11-20T12:00:00Z')
const usual = { inviting: true, changed: false, now }
const nothing = { invite: [], renew: [], revoke: [], next: undefined }

function anInvitation(fields: Partial<PendingInvitation>): PendingInvitation {
  return { id: 'id', email: ann, byResource: true, renewals: 0, expiresAt: later, ...fields }
}

test('an owner without an account is invited', () => {
  expect(decideOwnerInvitations([ann, bob], [bob], [], usual)).toEqual({
    ...nothing,
    invite: [ann],
  })
})

test('an owner with an account is not', () => {
  expect(decideOwnerInvitations([ann], [ann], [], usual)).toEqual(nothing)
})

test('nobody is invited twice, and the end of the invitation is waited for', () => {
  const pending = [
    anInvitation({}),
    anInvitation({ email: bob, expiresAt: new Date(later.getTime() + 1) }),
  ]
  expect(decideOwnerInvitations([ann, bob], [], pending, usual)).toEqual({
    ...nothing,
    next: later,
  })
})

test('an invitation by a person will do', () => {
  const pending = [anInvitation({ byResource: false })]
  expect(decideOwnerInvitations([ann], [], pending, usual)).toEqual({ ...nothing, next: later })
})

test('an expired invitation begins anew', () => {
  const expired = anInvitation({ expiresAt: before })
  expect(decideOwnerInvitations([ann], [], [expired], usual)).toEqual({
    ...nothing,
    renew: [{ id: 'id', email: ann, renewals: 1 }],
  })
})

test('whoever let four of them expire is left alone, until the resource changes', () => {
  const expired = anInvitation({ expiresAt: before, renewals: 3 })
  expect(decideOwnerInvitations([ann], [], [expired], usual)).toEqual(nothing)
  expect(decideOwnerInvitations([ann], [], [expired], { ...usual, changed: true })).toEqual({
    ...nothing,
    renew: [{ id: 'id', email: ann, renewals: 0 }],
  })
})

test('where nobody can sign in, nobody is invited, and who is no owner any more still cannot accept', () => {
  const expired = anInvitation({ expiresAt: before })
  const former = anInvitation({ email: bob })
  const off = { ...usual, inviting: false }
  expect(decideOwnerInvitations([ann, 'cyd@acme.example'], [], [expired, former], off)).toEqual({
    ...nothing,
    revoke: [former],
  })
})

test('an expired one by a person makes room', () => {
  const expired = anInvitation({ byResource: false, expiresAt: before })
  expect(decideOwnerInvitations([ann], [], [expired], usual)).toEqual({
    ...nothing,
    invite: [ann],
    revoke: [expired],
  })
})

test('what was for somebody who is no owner any more is revoked, and what a person made is not', () => {
  const former = anInvitation({ email: bob })
  const guest = anInvitation({ email: 'guest@acme.example', byResource: false })
  expect(decideOwnerInvitations([], [], [former, guest], usual)).toEqual({
    ...nothing,
    revoke: [former],
  })
})
