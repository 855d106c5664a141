import type { Pool } from 'pg'
import { Gauge, type Registry } from 'prom-client'
import type { KeyManagement } from '../kms/keymanagement.ts'
import type { WallClock } from './clock.ts'
import type { AuthLog } from './log.ts'
import { type MailBackend, openMail } from './mail/open.ts'
import { observeHashing, observeSigning } from './metrics.ts'
import { BreachedPasswordRange } from './password/breachedpasswords.ts'
import { NewPasswords } from './password/newpassword.ts'
import { PasswordService } from './password/passwords.ts'
import { ProcessHasher, type ProcessHasherOptions } from './password/processhasher.ts'
import { sharing } from './password/shares.ts'
import type { People } from './people.ts'
import { type RedisServer, SharedWindows } from './ratelimit/redis.ts'
import { MemoryWindows, type Windows } from './ratelimit/window.ts'
import { RegistrationService } from './registration/registration.ts'
import type { SessionMoves } from './session/moves.ts'
import { openSessions, type SessionParts } from './session/open.ts'
import { EmailCodeMinter } from './signin/codeminting.ts'
import type { Organizations } from './signin/organizations.ts'
import { SignInService } from './signin/signin.ts'

/** What the services of people work with. */
export interface PeopleBackend {
  /** Connections of their own: signing in must not slow the checks. */
  readonly pool: Pool
  /** Where people reach us: an origin. */
  readonly publicUrl: string
  /** `.id.example.com`: each organization has a host below that domain. */
  readonly organizationHosts: string | undefined
  /** Whether anybody may register an organization. */
  readonly selfService: boolean
  /** Email domains whose people may; none: any. */
  readonly selfServiceDomains: readonly string[]
  /** Where breached passwords are looked up, as Have I Been Pwned does it; undefined: nowhere. */
  readonly breachedPasswordsUrl: string | undefined
  /** Undefined: this replica counts for itself. */
  readonly redis: RedisServer | undefined
  /** Undefined: mails wait in their queue for a replica that sends them. */
  readonly mail?: MailBackend | undefined
  /** How and where passwords are hashed. */
  readonly hashing: Pick<ProcessHasherOptions, 'start' | 'parameters' | 'queue' | 'workers'>
  /**
   * What opens the signing keys.
   * @returns undefined where the settings name no key management service: then no access token is signed
   */
  openKeyring(registry: Registry): Pick<KeyManagement, 'unwrap'> | undefined
}

/** What the rest of the service gives to people. */
export interface PeopleOptions {
  /** Whose signing keys sign. */
  readonly installation: string
  /** From memory. */
  readonly organizations: Organizations
  readonly readAccessToken: SessionParts['readAccessToken']
  readonly clock: WallClock
  readonly registry: Registry
  readonly log: AuthLog
}

export interface PeopleService {
  readonly people: People
  /** Where whoever is not signed in is counted. */
  readonly windows: Windows
  /** Has the queue of mails looked at. */
  wakeMail(): void
  /** Told from where sessions are used. */
  readonly moves: SessionMoves
  start(): void
  stop(): Promise<void>
}

/** Of each a few hundred bytes. */
const mostWindows = 50_000

/** Puts the services of people together. */
export function openPeople(backend: PeopleBackend, options: PeopleOptions): PeopleService {
  const { pool, publicUrl } = backend
  const { registry, log } = options
  const hasher = new ProcessHasher({ ...backend.hashing, log })
  const codes = backend.mail && new EmailCodeMinter({ pool: backend.mail.pool, hasher })
  const mail = backend.mail && openMail(backend.mail, { codes, registry, log })
  const shared = backend.redis && new SharedWindows(backend.redis, log)
  observeWindows(registry, shared)
  observeHashing(registry, hasher)
  const { breachedPasswordsUrl } = backend
  const breached = breachedPasswordsUrl
    ? new BreachedPasswordRange(breachedPasswordsUrl, log)
    : undefined
  const newPasswords = new NewPasswords({ hasher, publicUrl, breached })
  const keyring = backend.openKeyring(registry)
  const { installation } = options
  const { starter, ...sessions } = openSessions(
    { pool, publicUrl, installation, keyring },
    { ...options, newPasswords },
  )
  // Without a key manager nobody is to be woken for it: that was chosen.
  if (keyring) observeSigning(registry, sessions.signer)
  const people = sharing({
    ...sessions,
    signIn: new SignInService({
      ...backend,
      organizations: options.organizations,
      hasher,
      starter,
    }),
    registration: new RegistrationService({
      pool,
      organizations: options.organizations,
      hasher,
      newPasswords,
      allowed: backend.selfService,
      domains: backend.selfServiceDomains,
    }),
    passwords: new PasswordService({
      ...backend,
      organizations: options.organizations,
      hasher,
      newPasswords,
      starter,
    }),
  })
  return {
    people,
    windows: shared ?? new MemoryWindows(mostWindows),
    moves: sessions.moves,
    wakeMail: () => mail?.wake(),
    start() {
      shared?.start()
      sessions.start()
      mail?.start()
    },
    async stop() {
      await sessions.stop()
      await mail?.stop()
      hasher.stop()
      shared?.stop()
    },
  }
}

function observeWindows(registry: Registry, shared: SharedWindows | undefined): void {
  const gauge: Gauge = new Gauge({
    name: 'cardea_rate_limits_shared',
    help: 'Whether replicas count together in Redis (1), or each for itself (0), whoever is not signed in.',
    registers: [registry],
    collect: () => gauge.set(shared?.together ? 1 : 0),
  })
}
