import { beforeEach, expect, test } from 'vitest'
import { anIndexedOrganization, anIndexedSession } from '../../../test/support/build/indexed.ts'
import { digestApiKey } from '../../domain/apikey.ts'
import { Activity } from '../index/activity.ts'
import { CredentialIndex } from '../index/credentialindex.ts'
import { Meters } from '../index/meters.ts'
import { type Circumstances, decide } from './decide.ts'
import { noQuestion, type Question } from './question.ts'

const now = 1_800_000_000_000
const row = anIndexedSession({
  text: 't',
  authenticatedAt: now - 1000,
  lastSeenAt: now - 120_000,
  idleTimeout: 3600,
})
const fine: Circumstances = {
  address: undefined,
  origin: 'https://app.acme.example',
  ambient: true,
  now,
  monotonic: 0,
  share: 1,
}
const every: Question = {
  scopes: ['usage:read'],
  permission: 'members:read',
  project: 'scanner',
}
const acme = anIndexedOrganization({ origins: ['https://app.acme.example'] })
let index: CredentialIndex
let activity: Activity

beforeEach(() => {
  index = new CredentialIndex()
  activity = new Activity(() => index)
  index.setOrganizations([acme])
  index.setProjects(
    ['scanner', 'billing'].map((name) => ({ organizationId: 'organization', id: name, name })),
  )
  const subjects = [{ kind: 'User', name: 'ann@acme.example' }]
  index.setBindings([
    { organizationId: 'organization', id: 'b', projectId: 'scanner', role: 'viewer', subjects },
  ])
  index.addSessions([row])
})

function decided(circumstances: Partial<Circumstances> = {}, question: Question = every) {
  const session = index.findSession(digestApiKey('t').toString('latin1'))
  if (!session) throw new Error('it is there')
  const surroundings = {
    meters: new Meters(() => index),
    activity,
    isOwnOrigin: (origin: string) => origin === 'https://id.example.com',
  }
  return decide(session, question, { ...fine, ...circumstances }, surroundings)
}
const codeOf = (...asked: Parameters<typeof decided>) => decided(...asked).code

test('when everything is as it should be, it is allowed, and counts as seen', () => {
  expect(decided()).toMatchObject({
    code: 'allowed',
    project: 'scanner',
    roles: { roles: ['viewer'] },
    quota: undefined,
  })
  expect([...activity.take()]).toEqual([[row.id, now / 1000]])
})

test.each<[string, Partial<Circumstances>, Question, string]>([
  ['it has expired', { now: row.expiresAt, origin: 'x' }, every, 'credential_invalid'],
  ['it is idle', { now: row.lastSeenAt + 3_600_000, origin: 'x' }, every, 'credential_invalid'],
  [
    'a page of another origin asks',
    { origin: 'https://evil.example' },
    { ...every, project: 'x' },
    'origin_not_allowed',
  ],
  ['several origins ask', { origin: '' }, every, 'origin_not_allowed'],
  ['there is no such project', {}, { ...every, project: 'x' }, 'project_not_allowed'],
  ['they have no role on it', {}, { ...every, project: 'billing' }, 'project_not_allowed'],
  [
    'their roles do not permit a scope',
    {},
    { ...every, scopes: ['usage:read', 'usage:write'], permission: 'x:y' },
    'insufficient_scope',
  ],
  [
    'their roles do not permit what is asked',
    {},
    { ...every, permission: 'members:write' },
    'permission_denied',
  ],
])(
  'when %s, that is what it is denied for, whatever else is wrong',
  (_, circumstances, question, code) => {
    expect(codeOf(circumstances, question)).toBe(code)
    expect(activity.take().size).toBe(0)
  },
)

test.each<[string, () => void]>([
  [
    'the person is suspended',
    () => index.tenant('organization').setUser('user', { ...row, active: false }),
  ],
  [
    'all of the person’s sessions were ended after it began',
    () => index.tenant('organization').setUser('user', { ...row, revokedBefore: now - 999 }),
  ],
  [
    'all of the organization’s were',
    () =>
      index.setOrganization('organization', {
        ...acme,
        sessionsRevokedBefore: now - 999,
      }),
  ],
  ['the organization is gone', () => index.setOrganization('organization', undefined)],
])('when %s, it is over', (_, act) => {
  act()
  expect(codeOf()).toBe('credential_invalid')
})

test('what was ended before it began does not concern it', () => {
  const tenant = index.tenant('organization')
  tenant.setUser('user', { ...row, revokedBefore: row.authenticatedAt })
  const sessionsRevokedBefore = row.authenticatedAt
  index.setOrganization('organization', { ...acme, sessionsRevokedBefore })
  expect(codeOf()).toBe('allowed')
})

test('our own pages may ask, and so may whoever is no browser', () => {
  expect(codeOf({ origin: 'https://id.example.com' })).toBe('allowed')
  expect(codeOf({ origin: undefined })).toBe('allowed')
  expect(codeOf({ origin: 'https://evil.example', ambient: false })).toBe('allowed')
})

test('a person without any role is known, and may do nothing', () => {
  expect(decided({}, noQuestion)).toMatchObject({ code: 'allowed', roles: { roles: [] } })
  expect(codeOf({}, { ...noQuestion, permission: 'members:read' })).toBe('permission_denied')
})
