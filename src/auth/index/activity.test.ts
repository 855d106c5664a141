import { beforeEach, expect, test } from 'vitest'
import { anIndexedSession } from '../../../test/support/build/indexed.ts'
import { digestApiKey } from '../../domain/apikey.ts'
import { Activity } from './activity.ts'
import { CredentialIndex } from './credentialindex.ts'

const hours8 = 8 * 3600
let index: CredentialIndex
let activity: Activity
let urgent: number

beforeEach(() => {
  index = new CredentialIndex()
  activity = new Activity(() => index)
  urgent = 0
  activity.onUrgent = () => urgent++
})

function aSession(idleTimeout = hours8, lastSeenAt = 0) {
  const row = anIndexedSession({ text: 't', idleTimeout, lastSeenAt })
  index.addSessions([row])
  return row.id
}

function saw(now: number): void {
  const session = index.findSession(digestApiKey('t').toString('latin1'))
  if (!session) throw new Error('it is there')
  activity.saw(session, now)
}

test('the index knows at once, and what is written down is a part of it', () => {
  const id = aSession()
  for (let now = 0; now < 59_000; now += 500) saw(now)
  expect(index.lastSeen(id)).toBe(58)
  expect(activity.take().size).toBe(0)
  saw(61_000)
  expect([...activity.take()]).toEqual([[id, 61]])
  saw(62_000)
  expect(activity.take().size).toBe(0)
})

test('a session with a short time is written down more often', () => {
  const id = aSession(100)
  saw(6000)
  expect([...activity.take()]).toEqual([[id, 6]])
})

test('other replicas hear at once of one that was near its end', () => {
  aSession(hours8)
  saw((hours8 - 60) * 1000)
  expect(urgent).toBe(0)
  aSession(hours8, 0)
  index = new CredentialIndex()
  aSession(hours8, 0)
  saw((hours8 - 29) * 1000)
  expect(urgent).toBe(1)
})

test('what could not be written down comes again, with the latest of what is known', () => {
  const id = aSession()
  saw(120_000)
  const taken = activity.take()
  saw(240_000)
  activity.giveBack(taken)
  expect([...activity.take()]).toEqual([[id, 240]])
})

test('a session that the index does not have yet is written down as well', () => {
  const id = aSession()
  const session = index.findSession(digestApiKey('t').toString('latin1'))
  index = new CredentialIndex()
  if (session) activity.saw(session, 120_000)
  expect([...activity.take()]).toEqual([[id, 120]])
})
