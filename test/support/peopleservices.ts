import { randomBytes } from 'node:crypto'
import type { Pool } from 'pg'
import { WallClock } from '../../src/auth/clock.ts'
import type { Client, Person, StartedSession, TokenSession } from '../../src/auth/people.ts'
import { type OpenSessions, openSessions } from '../../src/auth/session/open.ts'
import { SigningKeys } from '../../src/auth/token/sign.ts'
import { openPool } from '../../src/db/pool.ts'
import { signingKeyStatements } from '../../src/db/signingkey.ts'
import { writeInOrganization } from '../../src/db/transaction.ts'
import { makeSigningKey } from '../../src/encryption/signingkey.ts'
import { localKeyManagement } from '../../src/kms/local.ts'
import { keyringOf } from './keyring.ts'
import type { TestDatabase } from './postgres.ts'
import type { Records } from './records.ts'

export const issuer = 'https://id.example.com'

export const client: Client = {
  address: '203.0.113.7',
  userAgent: 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0',
  device: undefined,
  requestId: 'test',
}

/** The services of one replica, without HTTP. */
export interface PeopleReplica extends OpenSessions {
  readonly pool: Pool
  close(): Promise<void>
}

/** The KEK of `giveSigningKey`, as CARDEA_KMS_LOCAL_KEY_FILE has it. */
export const keyFile = randomBytes(32).toString('base64')
const kek = localKeyManagement(() => keyFile)
/** What opens the signing keys of `giveSigningKey`. */
export const keyring = keyringOf(kek).of(null)
const nothing = (): void => {}
const log = { debug: nothing, info: nothing, warn: nothing, error: nothing }

/** Replicas on one database, all of which can sign. */
export async function openReplicas<const N extends 1 | 2>(
  database: TestDatabase,
  records: Records,
  count: N,
): Promise<N extends 1 ? [PeopleReplica] : [PeopleReplica, PeopleReplica]> {
  await giveSigningKey(records)
  const replicas = await Promise.all(
    Array.from({ length: count }, async () => {
      const pool = openPool({
        connectionString: database.authUrl,
        applicationName: 'test-people',
        log,
        max: 8,
      })
      const backend = { pool, publicUrl: issuer, installation: 'default', keyring }
      const open = openSessions(backend, {
        newPasswords: { make: async (password) => ({ hash: aHash(password) }) },
        readAccessToken: async (text) => claimsOf(text),
        clock: new WallClock(),
        log,
      })
      if (open.signer instanceof SigningKeys) await open.signer.load()
      return { ...open, pool, close: () => pool.end() }
    }),
  )
  return replicas as N extends 1 ? [PeopleReplica] : [PeopleReplica, PeopleReplica]
}

/** A signing key that signs already. */
export async function giveSigningKey(records: Records, installation = 'default'): Promise<string> {
  const made = await makeSigningKey(kek, installation, 'EdDSA')
  const createdAt = new Date(Date.now() - 60_000)
  const row = { ...made, installation, createdAt, activeAt: createdAt }
  await records.client.query(signingKeyStatements.insertion([row]))
  return made.id
}

/** The shape of a hash, for what does not verify it. */
function aHash(password: string): string {
  return `$argon2id$v=19$m=19456,t=2,p=1$${Buffer.from(password).toString('base64url')}`
}

/** What a token says; whoever asks knows that it is ours. */
export function claimsOf(token: string) {
  const [, payload = ''] = token.split('.')
  return JSON.parse(Buffer.from(payload, 'base64url').toString())
}

export interface UserFields {
  readonly email?: string
  readonly roles?: readonly string[]
  readonly groups?: readonly string[]
  readonly verified?: boolean
}

let count = 0

/** A person with a verified address, and the roles that the API gave. @returns as the check would find them */
export async function aPerson(
  records: Records,
  organizationId: string,
  {
    email = `person-${++count}@acme.example`,
    roles = [],
    groups = [],
    verified = true,
  }: UserFields = {},
): Promise<Person> {
  const { rows } = await records.client.query<{ id: string; organization: string }>(
    `insert into cardea.users (organization_id, email, groups, email_verified_at) values ($1, $2, $3, case when $4 then now() end)
     returning id, (select name from cardea.organizations where id = $1) as organization`,
    [organizationId, email, groups, verified],
  )
  const [{ id: userId, organization } = { id: '', organization: '' }] = rows
  for (const role of roles) {
    await records.client.query(
      `insert into cardea.role_bindings (organization_id, name, role, subjects, managed_by) values ($1, $2, $3, $4, 'api')`,
      [
        organizationId,
        `member-${userId}-${role}`,
        role,
        JSON.stringify([{ kind: 'User', name: email }]),
      ],
    )
  }
  return {
    organizationId,
    organization,
    userId,
    email,
    sessionId: '00000000-0000-7000-8000-000000000000',
    authenticatedAt: new Date(),
  }
}

/** Signs somebody in, as whoever has judged their password does. */
export async function signIn<Kind extends StartedSession['kind']>(
  replica: PeopleReplica,
  person: Person,
  kind: Kind,
  from: Client = client,
): Promise<{ readonly person: Person; readonly session: Extract<StartedSession, { kind: Kind }> }> {
  const { organizationId, userId, email } = person
  const session = await writeInOrganization(
    replica.pool,
    { organizationId, actor: 'test' },
    (tx) => {
      const user = { id: userId, email, groups: [] }
      const device = undefined
      return replica.starter.start(
        tx,
        { organizationId, user, methods: ['pwd'], device },
        kind,
        from,
      )
    },
  )
  if (!session) throw new Error('nobody was signed in')
  return {
    person: { ...person, sessionId: session.sessionId },
    session: session as Extract<StartedSession, { kind: Kind }>,
  }
}

/** The tokens of an answer that is none of a refusal. */
export function tokensIn(outcome: TokenSession | { readonly refused: string }): TokenSession {
  if ('refused' in outcome) throw new Error(outcome.refused)
  return outcome
}
