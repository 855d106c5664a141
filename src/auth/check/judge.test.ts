import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { anIndexedOrganization } from '../../../test/support/build/indexed.ts'
import { WallClock } from '../clock.ts'
import { Activity } from '../index/activity.ts'
import { CredentialIndex } from '../index/credentialindex.ts'
import { Meters } from '../index/meters.ts'
import type { Identities } from './identities.ts'
import { Judge } from './judge.ts'
import { noQuestion } from './question.ts'
import { readRequestHeaders } from './requestheaders.ts'

const expiresAt = Date.parse('2030-01-01T00:00:00Z')
const digest = Buffer.alloc(32, 1)

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
})
afterEach(() => {
  vi.useRealTimers()
})

/** A judge of one key, which expires; what it says of the key now, at once or after a look-up. */
function aJudge(late: boolean) {
  const index = new CredentialIndex()
  index.setOrganizations([anIndexedOrganization()])
  const row = {
    organizationId: 'organization',
    id: 'key',
    name: 'ci',
    projectId: null,
    policy: '[[],[],[],null,null,null]',
    secretId: 'secret',
    digest,
    imported: false,
    createdAt: 0,
    expiresAt,
  }
  index.addApiKeys([row])
  const credential = index.find(digest.toString('latin1'))
  const find = () => (late ? Promise.resolve(credential) : credential)
  const judge = new Judge({
    identities: { of: find } as unknown as Identities,
    meters: new Meters(() => index),
    activity: new Activity(() => index),
    isOwnOrigin: () => false,
    clock: new WallClock(),
    share: () => 1,
  })
  const headers = readRequestHeaders(['x-api-key', 'text'])
  return async () => (await judge.judge(headers, undefined, noQuestion)).code
}

test.each([
  ['that the index has', false],
  ['that was looked up', true],
])('a key %s does not live again when the clock is set back', async (_, late) => {
  const ask = aJudge(late)
  vi.setSystemTime(expiresAt - 1)
  expect(await ask()).toBe('allowed')
  vi.setSystemTime(expiresAt)
  expect(await ask()).toBe('credential_invalid')
  vi.setSystemTime(expiresAt - 3_600_000)
  expect(await ask()).toBe('credential_invalid')
})
