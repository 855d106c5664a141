import type { Policy } from './policy.ts'
import type { RoleSet } from './roleset.ts'
import type { Project, Tenant } from './tenant.ts'
import type { User } from './user.ts'

/** People may do what their roles permit; nothing else confines them. */
const noPolicy: Policy = {
  text: '',
  scopes: [],
  scope: '',
  scopesJson: '[]',
  networks: undefined,
  origins: undefined,
  rateLimit: undefined,
}

export type SessionKind = 'browser' | 'token'

/** What is known of a session; times in milliseconds since the epoch. */
export interface SessionState {
  readonly id: string
  readonly kind: SessionKind
  readonly user: User
  readonly authenticatedAt: number
  readonly lastSeenAt: number
  /** Milliseconds. */
  readonly idleTimeout: number
  readonly expiresAt: number
}

/** What an access token says of itself; times in seconds since the epoch. */
export interface TokenTimes {
  readonly jti: string
  readonly iat: number
  readonly exp: number
}

/**
 * A session of a person, as it was found for one request. It is a copy: where the index has the session, it may have another
 * one by the time that the request ends.
 */
export class SessionCredential {
  readonly kind = 'User'
  readonly id: string
  readonly sessionKind: SessionKind
  readonly user: User
  readonly authenticatedAt: number
  lastSeenAt: number
  readonly idleTimeout: number
  readonly expiresAt: number
  /** Where the index had it. */
  readonly slot: number
  /** The access token by which it was found, if it was by one. */
  token: TokenTimes | undefined = undefined

  constructor(state: SessionState, slot: number) {
    this.id = state.id
    this.sessionKind = state.kind
    this.user = state.user
    this.authenticatedAt = state.authenticatedAt
    this.lastSeenAt = state.lastSeenAt
    this.idleTimeout = state.idleTimeout
    this.expiresAt = state.expiresAt
    this.slot = slot
  }

  /** The person's address, as a header can carry it. */
  get name(): string {
    return this.user.name
  }

  get subjectId(): string {
    return this.user.id
  }

  get tenant(): Tenant {
    return this.user.tenant
  }

  get project(): undefined {
    return undefined
  }

  get policy(): Policy {
    return noPolicy
  }

  rolesOn(project: Project | undefined): RoleSet {
    return this.user.rolesOn(project)
  }

  /** Whether nobody was seen with it for too long, as far as is known here. */
  isIdle(now: number): boolean {
    return this.lastSeenAt + this.idleTimeout <= now
  }

  /** Whether its person may not be here, or a word ended all sessions up to a moment after it began. */
  get isEnded(): boolean {
    const { active, revokedBefore, tenant } = this.user
    return (
      !active || this.#beganBefore(revokedBefore) || this.#beganBefore(tenant.sessionsRevokedBefore)
    )
  }

  #beganBefore(moment: number | undefined): boolean {
    return moment !== undefined && this.authenticatedAt < moment
  }
}
