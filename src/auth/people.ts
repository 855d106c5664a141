/**
 * What people can do with their accounts, as the routes and the pages ask for it. Each part is a service of its own; the HTTP
 * API and the pages are two ways to the same.
 */
export interface People {
  readonly signIn: SignIn
  readonly registration: Registration
  readonly passwords: Passwords
  readonly invitations: Invitations
  readonly members: Members
  readonly sessions: Sessions
}

/** Who is at the other end of a request. */
export interface Client {
  /** Canonical; undefined when it cannot be told. */
  readonly address: string | undefined
  readonly userAgent: string | undefined
  /** The text of the cookie that says which device this is. */
  readonly device: string | undefined
  /** The text of the session's cookie that came along, whatever it is worth. */
  readonly session?: string | undefined
  readonly requestId: string
}

/** Somebody who is signed in, as the check found them. */
export interface Person {
  readonly organizationId: string
  readonly organization: string
  readonly userId: string
  readonly email: string
  readonly sessionId: string
  /** When the session began. */
  readonly authenticatedAt: Date
}

/** Which organization somebody means: its name, or none, for the host or the domain of the address to tell. */
export interface OrganizationHint {
  readonly name?: string | undefined
  /** The Host header, without its port. */
  readonly host?: string | undefined
}

/** Why something was refused; also the code of the problem that is answered. */
export interface Refused<Code extends string = string> {
  readonly refused: Code
  /** Seconds after which to come again. */
  readonly retryAfter?: number
  /** For people, where there is more to say than the code says: which rule a password breaks. */
  readonly details?: readonly string[]
}

export interface BrowserSession {
  readonly kind: 'browser'
  readonly sessionId: string
  /** The text of the session cookie. */
  readonly cookie: string
  /** The text of the device cookie. */
  readonly device: string
  /** When the cookie is of no use any more. */
  readonly expiresAt: Date
}

export interface TokenSession {
  readonly kind: 'token'
  readonly sessionId: string
  readonly accessToken: string
  /** Seconds. */
  readonly expiresIn: number
  readonly refreshToken: string
}

export type StartedSession = BrowserSession | TokenSession
export type SessionKind = StartedSession['kind']

export interface SignInRequest {
  readonly organization: OrganizationHint
  readonly email: string
  readonly kind: SessionKind
  readonly client: Client
}

/** Signing in: by a password, or by a code that is sent by mail. */
export interface SignIn {
  /** What a page offers; the same for an organization that does not exist. */
  methods(hint: OrganizationHint, email: string | undefined): Promise<readonly string[]>
  withPassword(
    request: SignInRequest & { readonly password: string },
  ): Promise<
    | StartedSession
    | Refused<
        | 'sign_in_failed'
        | 'account_locked'
        | 'email_not_verified'
        | 'sign_in_method_not_allowed'
        | 'signing_unavailable'
        | 'busy'
      >
  >
  /** Always answers with a challenge, whether there is such an account or not. */
  requestCode(
    request: Omit<SignInRequest, 'kind'>,
  ): Promise<
    { readonly challenge: string } | Refused<'sign_in_method_not_allowed' | 'too_many_requests'>
  >
  withCode(request: {
    readonly challenge: string
    readonly code: string
    readonly kind: SessionKind
    readonly client: Client
  }): Promise<
    StartedSession | Refused<'sign_in_failed' | 'account_locked' | 'signing_unavailable' | 'busy'>
  >
}

export interface Registration {
  /** Whether the installation lets people register organizations. */
  readonly allowed: boolean
  /** The answer does not tell whether the address has an account. */
  register(request: {
    readonly organization: string
    readonly displayName: string
    readonly email: string
    readonly name: string
    readonly password: string
    readonly client: Client
  }): Promise<
    | { readonly accepted: true }
    | Refused<
        | 'registration_closed'
        | 'organization_name_taken'
        | 'email_domain_not_allowed'
        | 'password_not_accepted'
        | 'invalid_request'
        | 'busy'
      >
  >
  /**
   * Completes a registration, or verifies the address of a user, by the token of a mail and the password that was chosen with the
   * account: so whoever reads the mail is who chose it. After some wrong ones the token is over.
   */
  verifyEmail(
    token: string,
    password: string,
    client: Client,
  ): Promise<
    | { readonly organization: string; readonly email: string }
    | Refused<
        | 'token_invalid'
        | 'password_wrong'
        | 'organization_name_taken'
        | 'email_domain_not_allowed'
        | 'busy'
      >
  >
}

export interface Passwords {
  /** The rules in words, for a page. */
  rules(organizationId: string | undefined): Promise<readonly string[]>
  /** Never tells whether there is such an account. */
  requestReset(request: Omit<SignInRequest, 'kind'>): Promise<{ readonly accepted: true }>
  /** Whether a token of a mail is still good for a new password; uses nothing up. */
  look(token: string): Promise<boolean>
  /** Sets a password by a token of a mail, and ends all sessions. */
  reset(
    token: string,
    password: string,
    client: Client,
  ): Promise<
    | { readonly organization: string; readonly email: string }
    | Refused<'token_invalid' | 'password_not_accepted' | 'busy'>
  >
  /** Changes the password of somebody who knows the current one; all other sessions end, and this one gets a new id. */
  change(
    person: Person,
    current: string,
    next: string,
    client: Client,
  ): Promise<
    | { readonly cookie: string | undefined }
    | Refused<'password_wrong' | 'password_not_accepted' | 'account_locked' | 'busy'>
  >
}

export interface Invitation {
  readonly id: string
  readonly email: string
  readonly role: string
  /** A project's name; undefined: the whole organization. */
  readonly project: string | undefined
  readonly createdAt: Date
  readonly expiresAt: Date
}

export interface Invitations {
  /** Those that are open. */
  list(person: Person): Promise<readonly Invitation[] | Refused<'permission_denied'>>
  invite(
    person: Person,
    invitation: {
      readonly email: string
      readonly role: string
      readonly project?: string | undefined
    },
    client: Client,
  ): Promise<
    | Invitation
    | Refused<
        | 'permission_denied'
        | 'email_domain_not_allowed'
        | 'role_not_found'
        | 'project_not_found'
        | 'member_exists'
        | 'quota_exceeded'
        | 'managed_by_resource'
        | 'invalid_request'
        | 'too_many_requests'
      >
  >
  revoke(
    person: Person,
    id: string,
    client: Client,
  ): Promise<{ readonly revoked: true } | Refused<'permission_denied' | 'not_found'>>
  /** What a token is good for, for the page that asks for a password. */
  look(token: string): Promise<
    | {
        readonly organization: string
        readonly displayName: string
        readonly email: string
        readonly organizationId: string
        readonly role: string
        /** A project's name; undefined: the whole organization. */
        readonly project: string | undefined
        /** The address of whoever invites; undefined where a resource does. */
        readonly invitedBy: string | undefined
      }
    | undefined
  >
  accept(
    token: string,
    account: { readonly name: string; readonly password: string },
    client: Client,
  ): Promise<
    | { readonly organization: string; readonly email: string }
    | Refused<
        | 'token_invalid'
        | 'email_domain_not_allowed'
        | 'password_not_accepted'
        | 'quota_exceeded'
        | 'invalid_request'
        | 'busy'
      >
  >
}

export interface Member {
  readonly id: string
  readonly email: string
  readonly name: string
  readonly status: 'active' | 'suspended'
  /** `source` tells who says so: a resource cannot be overruled here. */
  readonly roles: readonly {
    readonly role: string
    readonly project: string | undefined
    readonly source: 'resource' | 'api'
  }[]
  readonly createdAt: Date
  readonly lastSignedInAt: Date | undefined
}

export type MemberRefusal =
  | 'permission_denied'
  | 'not_found'
  | 'last_owner'
  | 'managed_by_resource'
  | 'role_not_found'
  | 'project_not_found'

export interface Members {
  me(
    person: Person,
  ): Promise<Member & { readonly organization: string; readonly displayName: string }>
  rename(
    person: Person,
    name: string,
    client: Client,
  ): Promise<{ readonly renamed: true } | Refused<'invalid_request'>>
  list(
    person: Person,
    page: { readonly after?: string | undefined; readonly limit: number },
  ): Promise<
    | { readonly members: readonly Member[]; readonly next: string | undefined }
    | Refused<'permission_denied'>
  >
  /**
   * Makes the member have these roles and no others, those included that resources give: leaving out one of those is refused.
   * Who changes their own gets a new cookie.
   */
  setRoles(
    person: Person,
    id: string,
    roles: readonly { readonly role: string; readonly project?: string | undefined }[],
    client: Client,
  ): Promise<
    { readonly member: Member; readonly cookie: string | undefined } | Refused<MemberRefusal>
  >
  setSuspended(
    person: Person,
    id: string,
    suspended: boolean,
    client: Client,
  ): Promise<Member | Refused<MemberRefusal>>
  /** Ends the member's sessions. */
  endSessionsOf(
    person: Person,
    id: string,
    client: Client,
  ): Promise<{ readonly revoked: number } | Refused<'permission_denied' | 'not_found'>>
  remove(
    person: Person,
    id: string,
    client: Client,
  ): Promise<{ readonly removed: true } | Refused<MemberRefusal>>
}

export interface SessionView {
  readonly id: string
  readonly kind: SessionKind
  /** Whether it is the one that asks. */
  readonly current: boolean
  readonly deviceName: string
  readonly address: string | undefined
  readonly createdAt: Date
  readonly lastSeenAt: Date
  readonly expiresAt: Date
}

export interface Sessions {
  list(person: Person): Promise<readonly SessionView[]>
  /** One's own session. */
  revoke(
    person: Person,
    id: string,
    client: Client,
  ): Promise<{ readonly revoked: true } | Refused<'not_found'>>
  /** One's own sessions. @param keep whether the one that asks stays */
  revokeAll(
    person: Person,
    keep: 'current' | 'none',
    client: Client,
  ): Promise<{ readonly revoked: number }>
  /** Signs out. */
  end(person: Person, client: Client): Promise<void>
  refresh(
    refreshToken: string,
    client: Client,
  ): Promise<TokenSession | Refused<'token_invalid' | 'signing_unavailable'>>
  /**
   * RFC 7009: a refresh token ends its family, an access token ends itself. Whoever has it may; never tells whether there was
   * one.
   */
  revokeToken(token: string, client: Client): Promise<void>
}
