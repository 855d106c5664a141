import { randomUUID } from 'node:crypto'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WallClock } from '../../src/auth/clock.ts'
import type { Person, TokenSession } from '../../src/auth/people.ts'
import { SigningKeys, SigningUnavailableError } from '../../src/auth/token/sign.ts'
import { audienceOf } from '../../src/domain/accesstoken.ts'
import { mintToken } from '../../src/domain/onetimetoken.ts'
import type { KeyManagement } from '../../src/kms/keymanagement.ts'
import { KeyManagementError } from '../../src/kms/keymanagement.ts'
import {
  aPerson,
  claimsOf,
  client,
  giveSigningKey,
  issuer,
  keyring,
  openReplicas,
  type PeopleReplica,
  signIn,
  tokensIn,
} from '../support/peopleservices.ts'
import { testDatabase } from '../support/postgres.ts'
import { Records } from '../support/records.ts'

const database = await testDatabase()
const records = await Records.open(database.superuserUrl)
let replicas: readonly [PeopleReplica, PeopleReplica]
let replica: PeopleReplica
let organization: string
const quiet = () => {}
const log = { debug: quiet, info: quiet, warn: quiet, error: quiet }

beforeAll(async () => {
  organization = await records.organization()
  replicas = await openReplicas(database, records, 2)
  ;[replica] = replicas
})
afterAll(async () => {
  await Promise.all(replicas.map((each) => each.close()))
  await records.close()
  await database.drop()
})

const refresh = (token: string, from = client) => replica.sessions.refresh(token, from)
const sessionRow = async (id: string) =>
  (await records.client.query('select * from cardea.sessions where id = $1', [id])).rows[0]
const eventsOf = async (id: string): Promise<readonly string[]> =>
  (
    await records.client.query<{ action: string }>(
      'select action from cardea.audit_events where target_id = $1 order by id',
      [id],
    )
  ).rows.map(({ action }) => action)
const started = async (fields = {}): Promise<{ person: Person; session: TokenSession }> =>
  signIn(replica, await aPerson(records, organization, fields), 'token')

test('an access token says who, of which organization and with which roles, and verifies by the key set', async () => {
  const { person, session } = await started({ roles: ['developer', 'auditor', 'no-such-role'] })
  const { rows } = await records.client.query('select public_jwk from cardea_keys.signing_keys')
  const keys = createLocalJWKSet({ keys: rows.map(({ public_jwk }) => public_jwk) })
  const { payload, protectedHeader } = await jwtVerify(session.accessToken, keys, {
    issuer,
    audience: audienceOf(issuer, organization),
    typ: 'at+jwt',
    algorithms: ['EdDSA'],
  })
  expect(Object.keys(protectedHeader).sort()).toEqual(['alg', 'kid', 'typ'])
  expect(payload).toMatchObject({
    sub: person.userId,
    client_id: 'cardea',
    org: person.organization,
    org_id: organization,
    sid: session.sessionId,
    amr: ['pwd'],
    roles: ['auditor', 'developer'],
  })
  expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(900)
  expect(session.expiresIn).toBe(900)
})

test('roles come from bindings of the address and of groups, and from the organization’s owners', async () => {
  const own = await records.organization()
  await records.client.query('update cardea.organizations set owners = $2 where id = $1', [
    own,
    ['ada@acme.example'],
  ])
  await records.client.query(
    `insert into cardea.role_bindings (organization_id, name, role, subjects, managed_by) values ($1, 'ops', 'admin', $2, 'api')`,
    [own, JSON.stringify([{ kind: 'Group', name: 'ops' }])],
  )
  const person = await aPerson(records, own, { email: 'ada@acme.example', groups: ['ops'] })
  const { session } = await signIn(replica, person, 'token')
  // Signing in tells which groups; a refresh reads them anew.
  const next = tokensIn(await refresh(session.refreshToken))
  expect(claimsOf(next.accessToken).roles).toEqual(['admin', 'owner'])
})

test('a refresh token gives new tokens of the same session, and is of no use then', async () => {
  const { session } = await started()
  const next = tokensIn(await refresh(session.refreshToken))
  expect(next.sessionId).toBe(session.sessionId)
  expect(next.refreshToken).not.toBe(session.refreshToken)
  expect(claimsOf(next.accessToken).jti).not.toBe(claimsOf(session.accessToken).jti)
  expect(await eventsOf(session.sessionId)).toEqual(['session.started', 'session.refreshed'])
  tokensIn(await refresh(next.refreshToken))
})

test('a second use of a refresh token ends the session, and the newest token with it', async () => {
  const { session } = await started()
  const next = tokensIn(await refresh(session.refreshToken))
  expect(await refresh(session.refreshToken)).toEqual({ refused: 'token_invalid' })
  expect(await refresh(next.refreshToken)).toEqual({ refused: 'token_invalid' })
  expect(await sessionRow(session.sessionId)).toMatchObject({ revoked_for: 'refresh_reused' })
  expect(await eventsOf(session.sessionId)).toEqual([
    'session.started',
    'session.refreshed',
    'session.refresh_reused',
  ])
})

test('of a hundred uses at once on two replicas exactly one succeeds', async () => {
  const { session } = await started()
  const outcomes = await Promise.all(
    Array.from({ length: 100 }, (_, n) =>
      (n % 2 === 0 ? replicas[0] : replicas[1]).sessions.refresh(session.refreshToken, client),
    ),
  )
  expect(outcomes.filter((outcome) => !('refused' in outcome))).toHaveLength(1)
  expect(await sessionRow(session.sessionId)).toMatchObject({ revoked_for: 'refresh_reused' })
  const reused = (await eventsOf(session.sessionId)).filter((each) => each.endsWith('reused'))
  expect(reused).toHaveLength(1)
})

test('no refresh gives more time than the session had', async () => {
  const { session } = await started()
  const { expires_at: before } = await sessionRow(session.sessionId)
  tokensIn(await refresh(session.refreshToken))
  const { expires_at: after } = await sessionRow(session.sessionId)
  expect(after).toEqual(before)
})

test('an access token ends with its session', async () => {
  const { session } = await started()
  await records.client.query(
    `update cardea.sessions set expires_at = now() + interval '60 seconds' where id = $1`,
    [session.sessionId],
  )
  const next = tokensIn(await refresh(session.refreshToken))
  expect(next.expiresIn).toBeLessThanOrEqual(60)
  expect(next.expiresIn).toBeGreaterThan(55)
})

test.each<
  [string, (of: { person: Person; session: TokenSession }) => readonly [string, unknown[]]]
>([
  [
    'whose session was revoked',
    ({ session }) => [
      'update cardea.sessions set revoked_at = now() where id = $1',
      [session.sessionId],
    ],
  ],
  [
    'whose session is past its end',
    ({ session }) => [
      'update cardea.sessions set expires_at = now() where id = $1',
      [session.sessionId],
    ],
  ],
  [
    'of a suspended person',
    ({ person }) => ['update cardea.users set suspended_at = now() where id = $1', [person.userId]],
  ],
  [
    'of a person whose sessions were ended',
    ({ person }) => [
      'update cardea.users set sessions_revoked_before = now() where id = $1',
      [person.userId],
    ],
  ],
  [
    'of a person who was removed',
    ({ person }) => ['delete from cardea.users where id = $1', [person.userId]],
  ],
  [
    'past its own end',
    ({ session }) => [
      'update cardea.refresh_tokens set expires_at = now() where session_id = $1',
      [session.sessionId],
    ],
  ],
])('a refresh token %s is refused', async (_, change) => {
  const of = await started()
  const [text, values] = change(of)
  await records.client.query(text, values)
  expect(await refresh(of.session.refreshToken)).toEqual({ refused: 'token_invalid' })
})

test.each([
  ['deleted', `deleted_at = now()`],
  ['one that ended all sessions', 'sessions_revoked_before = now()'],
])('a refresh token of an organization that is %s is refused', async (_, change) => {
  const own = await records.organization()
  const { session } = await signIn(replica, await aPerson(records, own), 'token')
  await records.client.query(`update cardea.organizations set ${change} where id = $1`, [own])
  expect(await refresh(session.refreshToken)).toEqual({ refused: 'token_invalid' })
})

test('a refresh token of another organization is none of this one', async () => {
  const { session } = await started()
  const foreign = await records.organization()
  const secret = session.refreshToken.slice(-43)
  const forged = mintToken('cr', foreign, Buffer.from(secret, 'base64url'))
  expect(await refresh(forged)).toEqual({ refused: 'token_invalid' })
  tokensIn(await refresh(session.refreshToken))
})

test.each([
  '',
  'x',
  'cr_',
  `cr_${'A'.repeat(65)}`,
  `co_${'A'.repeat(65)}`,
  'eyJhbGciOiJub25lIn0..',
])('what is no refresh token (%s) is refused like one that does not exist', async (text) => {
  expect(await refresh(text)).toEqual({ refused: 'token_invalid' })
})

test('no other spelling of a refresh token is one', async () => {
  const { session } = await started()
  const { refreshToken } = session
  const others = [
    `${refreshToken}=`,
    ` ${refreshToken}`,
    refreshToken.replace('cr_', 'CR_'),
    `${refreshToken}\n`,
  ]
  for (const other of others) expect(await refresh(other)).toEqual({ refused: 'token_invalid' })
  tokensIn(await refresh(refreshToken))
})

test('a session that moves goes on, and that it did is in the audit trail', async () => {
  const { session } = await started()
  const moved = { ...client, address: '198.51.100.9', userAgent: 'curl/8.5.0' }
  tokensIn(await refresh(session.refreshToken, moved))
  expect(await eventsOf(session.sessionId)).toContain('session.client_changed')
  expect(await sessionRow(session.sessionId)).toMatchObject({
    address: '198.51.100.9',
    device_name: 'curl',
  })
})

test('whoever revokes a refresh token ends its session, and learns nothing', async () => {
  const { session } = await started()
  await replica.sessions.revokeToken(session.refreshToken, client)
  await replica.sessions.revokeToken(session.refreshToken, client)
  expect(await sessionRow(session.sessionId)).toMatchObject({ revoked_for: 'revoked' })
  expect(await eventsOf(session.sessionId)).toEqual(['session.started', 'session.revoked'])
})

test('whoever revokes an access token ends that one alone', async () => {
  const { session } = await started()
  const { jti, exp } = claimsOf(session.accessToken)
  await replica.sessions.revokeToken(session.accessToken, client)
  await replica.sessions.revokeToken(session.accessToken, client)
  const { rows } = await records.client.query(
    'select organization_id, extract(epoch from expires_at)::integer as exp from cardea.revoked_access_tokens where jti = $1',
    [jti],
  )
  expect(rows).toEqual([{ organization_id: organization, exp }])
  expect(await eventsOf(jti)).toEqual(['access_token.revoked'])
  tokensIn(await refresh(session.refreshToken))
})

/** Signing keys that are opened by this. */
function keysOf(by: Pick<KeyManagement, 'unwrap'>, installation: string): SigningKeys {
  const clock = new WallClock()
  return new SigningKeys({ pool: replica.pool, installation, keyring: by, clock, log })
}
const claims = {} as Parameters<SigningKeys['sign']>[0]

test('with the key manager away nothing is signed, and afterwards it is', async () => {
  const installation = `away-${randomUUID().slice(0, 8)}`
  await giveSigningKey(records, installation)
  let away = true
  const keys = keysOf(
    {
      unwrap: async (...given) => {
        if (away) throw new KeyManagementError('unreachable', 'away')
        return keyring.unwrap(...given)
      },
    },
    installation,
  )
  expect(await keys.load()).toBe(false)
  expect(keys.available).toBe(false)
  await expect(keys.sign(claims)).rejects.toThrow(SigningUnavailableError)
  away = false
  expect(await keys.load()).toBe(true)
  await keys.sign(claims)
  // It was opened once, and nobody has to be asked again.
  away = true
  expect(await keys.load()).toBe(true)
  await keys.sign(claims)
})

test('a key whose published half is another’s is not signed with', async () => {
  const installation = `forged-${randomUUID().slice(0, 8)}`
  const id = await giveSigningKey(records, installation)
  await records.client.query(
    `update cardea_keys.signing_keys set public_jwk = jsonb_set(public_jwk, '{x}', '"AAAA"') where id = $1`,
    [id],
  )
  const keys = keysOf(keyring, installation)
  expect(await keys.load()).toBe(false)
  expect(keys.available).toBe(false)
})

test('a key that is gone from the table is not signed with any more', async () => {
  const installation = `gone-${randomUUID().slice(0, 8)}`
  await giveSigningKey(records, installation)
  const keys = keysOf(keyring, installation)
  await keys.load()
  expect(keys.available).toBe(true)
  await records.client.query('delete from cardea_keys.signing_keys where installation = $1', [
    installation,
  ])
  await keys.load()
  expect(keys.available).toBe(false)
})

test('a key that signs later is opened, and not used before', async () => {
  const installation = `later-${randomUUID().slice(0, 8)}`
  const now = await giveSigningKey(records, installation)
  const later = await giveSigningKey(records, installation)
  await records.client.query(
    `update cardea_keys.signing_keys set active_at = now() + interval '1 day' where id = $1`,
    [later],
  )
  const keys = keysOf(keyring, installation)
  await keys.load()
  const [header = ''] = (await keys.sign(claims)).split('.')
  expect(JSON.parse(Buffer.from(header, 'base64url').toString()).kid).toBe(now)
})
