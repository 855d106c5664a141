import type { AccessTokenClaims } from '../../domain/accesstoken.ts'

/** Access tokens cannot be signed: there is no key manager, or no key that could be opened yet. */
export class SigningUnavailableError extends Error {
  override readonly name = 'SigningUnavailableError'
}

/** Signs access tokens. */
export interface AccessTokenSigner {
  /** Whether there is a key to sign with. */
  readonly available: boolean
  /** @throws SigningUnavailableError */
  sign(claims: AccessTokenClaims): Promise<string>
}
