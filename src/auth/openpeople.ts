import type { Pool } from 'pg'
import type { Registry } from 'prom-client'
import type { AuthLog } from './log.ts'
import { type MailBackend, openMail } from './mail/open.ts'
import type { People } from './people.ts'
import { type RedisServer, SharedWindows } from './ratelimit/redis.ts'
import { MemoryWindows, type Windows } from './ratelimit/window.ts'

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
  /** Undefined: this replica counts for itself. */
  readonly redis: RedisServer | undefined
  /** Undefined: mails wait in their queue for a replica that sends them. */
  readonly mail?: MailBackend | undefined
}

export interface PeopleService {
  readonly people: People
  /** Where whoever is not signed in is counted. */
  readonly windows: Windows
  start(): void
  stop(): Promise<void>
}

/** Of each a few hundred bytes. */
const mostWindows = 50_000

/** Puts the services of people together. */
export function openPeople(
  backend: PeopleBackend,
  registry: Registry,
  log: AuthLog,
): PeopleService {
  const mail = backend.mail && openMail(backend.mail, { codes: undefined, registry, log })
  const shared = backend.redis && new SharedWindows(backend.redis, log)
  const people: People = {
    signIn: notBuilt('signIn'),
    registration: notBuilt('registration'),
    passwords: notBuilt('passwords'),
    invitations: notBuilt('invitations'),
    members: notBuilt('members'),
    sessions: notBuilt('sessions'),
  }
  return {
    people,
    windows: shared ?? new MemoryWindows(mostWindows),
    start() {
      shared?.start()
      mail?.start()
    },
    async stop() {
      await mail?.stop()
      shared?.stop()
    },
  }
}

function notBuilt(part: string): never {
  return new Proxy({} as never, {
    get: (_target, method) => () => {
      throw new Error(`not built yet: ${part}.${String(method)}`)
    },
  })
}
