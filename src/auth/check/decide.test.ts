import { beforeEach, expect, test } from 'vitest'
import {
  anIndexedApiKey,
  anIndexedOrganization,
  aPolicy,
} from '../../../test/support/build/indexed.ts'
import { digestApiKey } from '../../domain/apikey.ts'
import { Activity } from '../index/activity.ts'
import { CredentialIndex } from '../index/credentialindex.ts'
import { Meters } from '../index/meters.ts'
import { type Circumstances, decide, type Surroundings } from './decide.ts'
import { noQuestion, type Question } from './question.ts'

const text = 'the key'
const projectId = 'project'
const policy = aPolicy({
  scopes: ['a'],
  cidrs: ['192.0.2.0/24'],
  origins: ['https://app.example'],
  rateLimit: [1, 1000, 1],
})
const fine: Circumstances = {
  address: '192.0.2.1',
  origin: 'https://app.example',
  ambient: false,
  now: 1000,
  monotonic: 5000,
  share: 1,
}
const every: Question = { scopes: ['a'], permission: 'scans:run', project: 'scanner' }
let index: CredentialIndex
let meters: Meters
let surroundings: Surroundings

beforeEach(() => {
  index = new CredentialIndex()
  meters = new Meters(() => index)
  surroundings = { meters, activity: new Activity(() => index), isOwnOrigin: () => false }
  index.setOrganizations([anIndexedOrganization()])
  index.setProjects([{ organizationId: 'organization', id: projectId, name: 'scanner' }])
  index.setRoles([
    { organizationId: 'organization', id: 'role', name: 'runner', permissions: ['scans:run'] },
  ])
  const subjects = [{ kind: 'APIKey', name: 'ci' }]
  index.setBindings([
    { organizationId: 'organization', id: 'binding', projectId, role: 'runner', subjects },
  ])
  index.addApiKeys([anIndexedApiKey({ text, projectId, policy, expiresAt: 2000 })])
})

function decided(circumstances: Partial<Circumstances> = {}, question: Question = every) {
  const credential = index.find(digestApiKey(text).toString('latin1'))
  if (credential === undefined) throw new Error('it is not in the index')
  return decide(credential, question, { ...fine, ...circumstances }, surroundings)
}

test('when everything is as it should be, it is allowed, with who it is and what is left', () => {
  expect(decided()).toMatchObject({
    code: 'allowed',
    project: 'scanner',
    roles: { roles: ['runner'] },
    quota: { allowed: true, remaining: 0 },
  })
})

test.each<[string, Partial<Circumstances>, Question, string]>([
  ['it is the second that it expires in', { now: 2000 }, every, 'credential_invalid'],
  ['it is long expired', { now: 3000, address: '203.0.113.9' }, every, 'credential_invalid'],
  [
    'it comes from elsewhere',
    { address: '203.0.113.9', origin: 'x' },
    every,
    'address_not_allowed',
  ],
  ['it cannot be told from where', { address: undefined }, every, 'address_not_allowed'],
  ['the origin is another', { origin: 'https://evil.example' }, every, 'origin_not_allowed'],
  ['there is more than one origin', { origin: '' }, every, 'origin_not_allowed'],
  [
    'it asks for another project',
    {},
    { ...every, project: 'billing', scopes: ['b'] },
    'project_not_allowed',
  ],
  [
    'a scope is lacking',
    {},
    { ...every, scopes: ['a', 'b'], permission: 'x:y' },
    'insufficient_scope',
  ],
  ['a permission is lacking', {}, { ...every, permission: 'x:y' }, 'permission_denied'],
])(
  'when %s, that is what it is denied for, whatever else is wrong',
  (_, circumstances, question, code) => {
    expect(decided(circumstances, question).code).toBe(code)
  },
)

test('the rate limit comes after where it comes from and before what it asks', () => {
  expect(decided({ address: '203.0.113.9' }).quota).toBeUndefined()
  expect(decided({}, { ...every, scopes: ['b'] }).code).toBe('insufficient_scope')
  expect(decided({}, { ...every, scopes: ['b'] }).code).toBe('rate_limited')
  expect(decided({ address: '203.0.113.9' }).code).toBe('address_not_allowed')
})

test('who is not a browser needs no origin', () => {
  expect(decided({ origin: undefined }).code).toBe('allowed')
})

test('only what was allowed counts as a use', () => {
  decided({}, { ...every, scopes: ['b'] })
  expect(meters.takeUsed(10)).toHaveLength(0)
  decided({ monotonic: 7000 })
  expect(meters.takeUsed(10)).toMatchObject([{ apiKeyId: 'key', uses: 1, lastUsedAt: 1 }])
})

test('an organization that is not known to be live admits nobody', () => {
  index.tenant('organization').setOrganization(undefined)
  expect(decided().code).toBe('credential_invalid')
})

test('a project that is not known to be live admits nobody', () => {
  index.tenant('organization').setProject(projectId, undefined)
  expect(decided({}, noQuestion).code).toBe('project_not_allowed')
})
