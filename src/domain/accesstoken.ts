/** The header's `typ` (RFC 9068, section 2.1). */
export const accessTokenType = 'at+jwt'
/** RFC 9068 wants a client; people who sign in have none but this service. */
export const accessTokenClient = 'cardea'

/** What an access token says (RFC 7519 and RFC 9068, section 2.2); times in seconds since the epoch. */
export interface AccessTokenClaims {
  readonly iss: string
  readonly aud: string
  /** The user's id. */
  readonly sub: string
  readonly client_id: string
  readonly jti: string
  readonly iat: number
  readonly nbf: number
  readonly exp: number
  readonly auth_time: number
  /** RFC 8176. */
  readonly amr: readonly string[]
  /** The organization's name, and its id. */
  readonly org: string
  readonly org_id: string
  /** The session's id. */
  readonly sid: string
  /** As they were when it was issued. The check goes by what they are. */
  readonly roles: readonly string[]
}

/**
 * Whom a token is for: one organization's applications. All organizations share the signing keys, so that a resource server
 * tells by this whether a token is of its own (RFC 9068, section 3).
 */
export function audienceOf(issuer: string, organizationId: string): string {
  return `${issuer}/organizations/${organizationId}`
}
