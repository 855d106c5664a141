import { randomBytes, randomUUID } from 'node:crypto'
import { Client } from 'pg'
import { digestApiKey } from '../../../src/domain/apikey.ts'
import { mintSession, tokenSessionDigest } from '../../../src/domain/session.ts'
import type { SigningAlgorithm } from '../../../src/domain/signingkey.ts'
import { claimsOf, makeSigningKey, type TestSigningKey } from '../../support/peoplerecords.ts'
import { copy } from './copy.ts'
import { asked } from './seed.ts'

/** Who issues the tokens. */
export const publicUrl = 'https://id.example.com'

export interface SeededPeople {
  /** The texts of session cookies, from all over the index. */
  readonly cookies: readonly string[]
  /** Access tokens, by the algorithm that signs them. */
  readonly tokens: Readonly<Record<SigningAlgorithm, readonly string[]>>
}

export interface PeopleCounts {
  readonly people: number
  readonly sessions: number
  /** Cookies that are answered. */
  readonly sample: number
  readonly tokens: Readonly<Record<SigningAlgorithm, number>>
}

/** Seconds that the tokens are good for: longer than any benchmark. */
const lifetime = 4 * 3600
const tokenSessions = 1000
const group = 'testers'

/**
 * Puts people with sessions into the organizations that `seed` made, each with a role by a group, and publishes the keys that
 * sign their tokens.
 */
export async function seedPeople(
  superuserUrl: string,
  counts: PeopleCounts,
): Promise<SeededPeople> {
  const client = new Client({ connectionString: superuserUrl })
  await client.connect()
  try {
    await client.query('set session_replication_role = replica')
    const settings = JSON.stringify({ origins: [asked.origin] })
    await client.query('update cardea.organizations set settings = $1', [settings])
    const { rows } = await client.query<{ id: string }>('select id from cardea.organizations')
    const organizations = rows.map(({ id }) => id)
    await giveRoles(client, organizations)
    const people = Array.from({ length: counts.people }, (_, n) => ({
      id: randomUUID(),
      email: `person-${n}@organization-${n % organizations.length}.example`,
      organization: organizations[n % organizations.length] as string,
    }))
    const now = new Date().toISOString()
    const userColumns = 'organization_id, id, email, groups, email_verified_at'
    await copy(client, `users (${userColumns})`, function* () {
      for (const { id, email, organization } of people) {
        yield [organization, id, email, `{${group}}`, now]
      }
    })
    const cookies: string[] = []
    const ofTokens: { id: string; user: (typeof people)[number] }[] = []
    const every = Math.max(1, Math.floor(counts.sessions / counts.sample))
    const sessionColumns =
      'organization_id, id, user_id, kind, digest, methods, idle_timeout, expires_at'
    const ends = new Date(Date.now() + 7 * 86_400_000).toISOString()
    await copy(client, `sessions (${sessionColumns})`, function* () {
      for (let n = 0; n < counts.sessions; n++) {
        const user = people[n % people.length] as (typeof people)[number]
        const id = randomUUID()
        const row = [user.organization, id, user.id] as const
        if (n < tokenSessions) {
          ofTokens.push({ id, user })
          yield [...row, 'token', bytea(tokenSessionDigest(id)), '{pwd}', '28800', ends]
          continue
        }
        const text = mintSession(randomBytes(32))
        if (n % every === 0) cookies.push(text)
        yield [...row, 'browser', bytea(digestApiKey(text)), '{pwd}', '28800', ends]
      }
    })
    await client.query('analyze')
    const exp = Math.floor(Date.now() / 1000) + lifetime
    const sign = (key: TestSigningKey, count: number) =>
      Array.from({ length: count }, (_, n) => {
        const session = ofTokens[n % ofTokens.length] as (typeof ofTokens)[number]
        return key.token(claimsOf(publicUrl, session, { exp }))
      })
    const [eddsa, es256] = [await publish(client, 'EdDSA'), await publish(client, 'ES256')]
    const { tokens } = counts
    return {
      cookies,
      tokens: { EdDSA: sign(eddsa, tokens.EdDSA), ES256: sign(es256, tokens.ES256) },
    }
  } finally {
    await client.end()
  }
}

async function giveRoles(client: Client, organizations: readonly string[]): Promise<void> {
  const permissions = `{${asked.permission},${asked.scope}}`
  await copy(client, 'roles (organization_id, id, name, permissions, managed_by)', function* () {
    for (const id of organizations) yield [id, randomUUID(), 'tester', permissions, 'api']
  })
  const subjects = JSON.stringify([{ kind: 'Group', name: group }])
  const columns = 'organization_id, id, name, role, subjects, managed_by'
  await copy(client, `role_bindings (${columns})`, function* () {
    for (const id of organizations) yield [id, randomUUID(), 'testers', 'tester', subjects, 'api']
  })
}

async function publish(client: Client, algorithm: SigningAlgorithm): Promise<TestSigningKey> {
  const key = makeSigningKey(algorithm)
  await client.query(
    `insert into cardea_keys.signing_keys (id, installation, algorithm, public_jwk, private_key, created_at, active_at)
      values ($1, 'default', $2, $3, '{}', now(), now())`,
    [key.id, algorithm, key.publicJwk],
  )
  return key
}

function bytea(bytes: Buffer): string {
  return `\\\\x${bytes.toString('hex')}`
}
