import type { Pool } from 'pg'
import type { AuthLog } from './log.ts'
import type { People } from './people.ts'

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
}

export interface PeopleService {
  readonly people: People
  start(): void
  stop(): Promise<void>
}

/** Puts the services of people together. */
export function openPeople(_backend: PeopleBackend, _log: AuthLog): PeopleService {
  const people: People = {
    signIn: notBuilt('signIn'),
    registration: notBuilt('registration'),
    passwords: notBuilt('passwords'),
    invitations: notBuilt('invitations'),
    members: notBuilt('members'),
    sessions: notBuilt('sessions'),
  }
  return { people, start: () => {}, stop: async () => {} }
}

function notBuilt<T extends object>(part: string): T {
  return new Proxy({} as T, {
    get: (_target, method) => () => {
      throw new Error(`not built yet: ${part}.${String(method)}`)
    },
  })
}
