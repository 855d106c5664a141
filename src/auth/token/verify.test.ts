import { beforeEach, expect, test } from 'vitest'
import { claimsOf, makeSigningKey } from '../../../test/support/peoplerecords.ts'
import type { AccessTokenClaims } from '../../domain/accesstoken.ts'
import { UnavailableError } from '../check/readthrough.ts'
import { AccessTokens } from './verify.ts'
import { type VerificationKey, verificationKey } from './verifyjws.ts'

const issuer = 'https://id.example.com'
const now = Date.now()
const signing = makeSigningKey()
const user = {
  id: '01a1ffb0-6a72-7803-a1f2-38205ea507f7',
  email: 'ann@acme.example',
  organization: '01a1ffb0-6a72-7803-a1f2-38205ea507f8',
}
const session = { id: '01a1ffb0-6a72-7803-a1f2-38205ea507f9', user }

let published: Map<string, VerificationKey>
let refreshed: number
let onRefresh: () => void
let tokens: AccessTokens

function keyOf(made: ReturnType<typeof makeSigningKey>): VerificationKey {
  const key = verificationKey('EdDSA', made.publicJwk)
  if (key === undefined) throw new Error('it is a key')
  return key
}

beforeEach(() => {
  published = new Map([[signing.id, keyOf(signing)]])
  refreshed = 0
  onRefresh = () => {}
  tokens = new AccessTokens({
    issuer,
    keys: {
      key: (id) => published.get(id),
      async refresh() {
        refreshed++
        onRefresh()
      },
    },
  })
})

const claims = (over: Partial<AccessTokenClaims> = {}) => claimsOf(issuer, session, over)
const verify = async (token: string, at = now) => tokens.verify(token, at)

test('a token of ours says whose session it is of', async () => {
  const said = claims()
  expect(await verify(signing.token(said))).toMatchObject({ sid: session.id, jti: said.jti })
})

test('one that was seen before is known at once, until its end', async () => {
  const exp = Math.floor(now / 1000) + 60
  const token = signing.token(claims({ exp }))
  expect(tokens.verify(token, now)).toBeInstanceOf(Promise)
  await verify(token)
  expect(tokens.verify(token, now)).toMatchObject({ sub: user.id })
  expect(tokens.verify(token, exp * 1000 - 1)).toMatchObject({ sub: user.id })
  expect(tokens.verify(token, exp * 1000)).toBeUndefined()
})

test('a thousand requests with one new token verify it once', async () => {
  const token = signing.token(claims())
  const answers = await Promise.all(Array.from({ length: 1000 }, () => verify(token)))
  expect(answers.every((answer) => answer?.sid === session.id)).toBe(true)
  expect(tokens.size).toBe(1)
})

test('a flood of new tokens is not waited for without end', async () => {
  const flood = Array.from({ length: 4000 }, () => verify(signing.token(claims())))
  const answers = await Promise.allSettled(flood)
  const refused = answers.filter(({ status }) => status === 'rejected')
  expect(refused.length).toBeGreaterThan(0)
  expect(refused.map((answer) => 'reason' in answer && answer.reason)).toContainEqual(
    expect.any(UnavailableError),
  )
})

test('a key that is not known is looked for once', async () => {
  const other = makeSigningKey()
  onRefresh = () => published.set(other.id, keyOf(other))
  expect(await verify(other.token(claims()))).toMatchObject({ sid: session.id })
  expect(refreshed).toBe(1)
})

test('a key that is published no more takes its tokens with it', async () => {
  const token = signing.token(claims())
  expect(await verify(token)).toBeDefined()
  published.clear()
  expect(tokens.verify(token, now)).toBeUndefined()
})

test('a key that somebody brings in under the id of another does not bring back its tokens', async () => {
  const token = signing.token(claims())
  expect(await verify(token)).toBeDefined()
  published.set(signing.id, keyOf(makeSigningKey()))
  expect(tokens.verify(token, now)).toBeUndefined()
})

test('when the keys cannot be read, nobody is admitted or refused', async () => {
  const away = new UnavailableError('away', true)
  onRefresh = () => {
    throw away
  }
  await expect(verify(makeSigningKey().token(claims()))).rejects.toBe(away)
})

const second = Math.floor(now / 1000)

test.each<[string, Partial<AccessTokenClaims>]>([
  ['has ended', { exp: second }],
  ['is not to be used yet', { nbf: second + 31 }],
  ['was issued in the future', { iat: second + 31, exp: second + 900 }],
  ['is good for longer than any of ours', { exp: second + 8 * 3600 + 1, iat: second }],
  ['is another issuer’s', { iss: 'https://other.example' }],
  ['is of this issuer with a slash', { iss: `${issuer}/` }],
  ['is for another organization than it says', { org_id: user.id }],
  ['is for two', { aud: [`${issuer}/organizations/${user.organization}`, 'x'] as never }],
  ['is another client’s', { client_id: 'another' }],
  ['has no session', { sid: undefined as never }],
  ['has an end that is a text', { exp: String(second + 900) as never }],
  ['has an end that is none', { exp: 1e300 }],
])('a token that %s is refused', async (_, over) => {
  expect(await verify(signing.token(claims(over)))).toBeUndefined()
})

test('clocks may differ by half a minute', async () => {
  const early = claims({ iat: second + 29, nbf: second + 29 })
  expect(await verify(signing.token(early))).toBeDefined()
})
