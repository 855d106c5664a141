import { generateKeyPairSync, randomBytes, randomUUID, sign } from 'node:crypto'
import {
  type AccessTokenClaims,
  accessTokenClient,
  accessTokenType,
  audienceOf,
} from '../../src/domain/accesstoken.ts'
import { digestApiKey } from '../../src/domain/apikey.ts'
import { mintSession, tokenSessionDigest } from '../../src/domain/session.ts'
import type { SigningAlgorithm } from '../../src/domain/signingkey.ts'
import { publishedHalf } from '../../src/encryption/signingkey.ts'
import type { Records } from './records.ts'

export interface UserRecord {
  readonly id: string
  readonly email: string
  readonly organization: string
}

export interface SessionFields {
  /** Seconds. */
  readonly idleTimeout?: number
  readonly expiresAt?: Date
  readonly authenticatedAt?: Date
  readonly lastSeenAt?: Date
}

export interface SessionRecord {
  readonly id: string
  /** The cookie's text. */
  readonly text: string
}

export interface TokenSessionRecord {
  readonly id: string
  readonly user: UserRecord
}

type Header = Readonly<Record<string, unknown>>

/** A key that the installation publishes, with the half that signs. */
export interface TestSigningKey {
  readonly id: string
  /** Signs any bytes, as a JWS does. */
  sign(input: string): Buffer
  /** Writes an access token. Each part may say what it should not. */
  token(claims: object, header?: Header): string
}

let count = 0

/** Writes a person as a superuser, verified and not suspended. */
export async function aUser(
  { client }: Records,
  organization: string,
  fields: { readonly email?: string; readonly groups?: readonly string[] } = {},
): Promise<UserRecord> {
  const email = fields.email ?? `person-${++count}@acme.example`
  const { rows } = await client.query<{ id: string }>(
    `insert into cardea.users (organization_id, email, groups, email_verified_at) values ($1, $2, $3, now()) returning id`,
    [organization, email, fields.groups ?? []],
  )
  return { id: rows[0]?.id as string, email, organization }
}

/** Writes a session of a browser. */
export async function aSession(
  records: Records,
  user: UserRecord,
  fields: SessionFields = {},
): Promise<SessionRecord> {
  const text = mintSession(randomBytes(32))
  const id = randomUUID()
  await insert(records, user, 'browser', id, digestApiKey(text), fields)
  return { id, text }
}

/** Writes a session whose credentials are access tokens. */
export async function aTokenSession(
  records: Records,
  user: UserRecord,
  fields: SessionFields = {},
): Promise<TokenSessionRecord> {
  const id = randomUUID()
  await insert(records, user, 'token', id, tokenSessionDigest(id), fields)
  return { id, user }
}

async function insert(
  { client }: Records,
  user: UserRecord,
  kind: string,
  id: string,
  digest: Buffer,
  fields: SessionFields,
): Promise<void> {
  await client.query(
    `insert into cardea.sessions (organization_id, id, user_id, kind, digest, methods, authenticated_at, last_seen_at, idle_timeout, expires_at)
      values ($1, $2, $3, $4, $5, '{pwd}', coalesce($6, now()), coalesce($7, now()), $8, coalesce($9, now() + interval '7 days'))`,
    [
      user.organization,
      id,
      user.id,
      kind,
      digest,
      fields.authenticatedAt ?? null,
      fields.lastSeenAt ?? null,
      fields.idleTimeout ?? 28_800,
      fields.expiresAt ?? null,
    ],
  )
}

/** Ends a session, as signing out does. */
export async function endSession({ client }: Records, { id }: { readonly id: string }) {
  await client.query(
    `update cardea.sessions set revoked_at = now(), revoked_for = 'signed_out' where id = $1`,
    [id],
  )
}

/** Revokes one access token before its end. */
export async function revokeToken({ client }: Records, organization: string, jti: string) {
  await client.query(
    `insert into cardea.revoked_access_tokens (organization_id, jti, expires_at) values ($1, $2, now() + interval '1 hour')`,
    [organization, jti],
  )
}

/** Publishes a new signing key, whose private half the test keeps. */
export async function aSigningKey(
  { client }: Records,
  algorithm: SigningAlgorithm = 'EdDSA',
  installation = 'default',
): Promise<TestSigningKey> {
  const key = makeSigningKey(algorithm)
  await client.query(
    `insert into cardea_keys.signing_keys (id, installation, algorithm, public_jwk, private_key, created_at, active_at)
      values ($1, $2, $3, $4, '{}', now(), now())`,
    [key.id, installation, algorithm, key.publicJwk],
  )
  return key
}

/** A key that nobody publishes. */
export function makeSigningKey(algorithm: SigningAlgorithm = 'EdDSA') {
  const { privateKey } =
    algorithm === 'EdDSA'
      ? generateKeyPairSync('ed25519')
      : generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { id, publicJwk } = publishedHalf(privateKey, algorithm)
  const signBytes = (input: string): Buffer =>
    algorithm === 'EdDSA'
      ? sign(null, Buffer.from(input), privateKey)
      : sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' })
  return {
    id,
    publicJwk,
    sign: signBytes,
    token(claims: object, header: Header = {}) {
      const head = { alg: algorithm, typ: accessTokenType, kid: id, ...header }
      const input = `${encode(JSON.stringify(head))}.${encode(JSON.stringify(claims))}`
      return `${input}.${signBytes(input).toString('base64url')}`
    },
  }
}

/** What an access token of a session says, as it is issued. */
export function claimsOf(
  issuer: string,
  { id, user }: TokenSessionRecord,
  over: Partial<AccessTokenClaims> = {},
): AccessTokenClaims {
  const now = Math.floor(Date.now() / 1000)
  return {
    iss: issuer,
    aud: audienceOf(issuer, user.organization),
    sub: user.id,
    client_id: accessTokenClient,
    jti: randomUUID(),
    iat: now,
    nbf: now,
    exp: now + 900,
    auth_time: now,
    amr: ['pwd'],
    org: 'acme',
    org_id: user.organization,
    sid: id,
    roles: ['owner'],
    ...over,
  }
}

export function encode(text: string): string {
  return Buffer.from(text).toString('base64url')
}
