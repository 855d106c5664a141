import {
  type AccessTokenClaims,
  accessTokenClient,
  accessTokenType,
  audienceOf,
} from '../../domain/accesstoken.ts'
import { tokenSessionDigest } from '../../domain/session.ts'
import { isUuid } from '../../domain/uuid.ts'
import { canonicalObject, type ReadJws } from './verifyjws.ts'

/** Milliseconds by which the clocks of replicas may differ. */
const skew = 30_000
/** Seconds: no access token is good for longer. */
const longestLifetime = 8 * 3600

/** What a token is judged by, of all that it says; times in seconds. */
export interface TokenClaims
  extends Pick<AccessTokenClaims, 'sub' | 'org_id' | 'sid' | 'jti' | 'exp' | 'iat'> {
  /** What its session is found by: worked out once, and not at each request. */
  readonly sessionDigest: string
}

/**
 * The id of the key that a token says it was signed with.
 * @returns undefined when the header says anything more or else than those of this service do (RFC 9068, section 4): no key
 *   that the token brings along, no extension (RFC 7515, section 4.1.11)
 */
export function keyIdOf({ header }: ReadJws): string | undefined {
  const { alg, typ, kid, ...others } = header
  if (typeof alg !== 'string' || typ !== accessTokenType || typeof kid !== 'string')
    return undefined
  return Object.keys(others).length === 0 ? kid : undefined
}

/**
 * Reads what a token claims (RFC 9068, section 4; RFC 7519, section 4.1), for whoever knows that the claims are those of a
 * signing key's holder.
 * @param now milliseconds since the epoch
 * @returns undefined when it is not for one of this issuer's organizations, or not good now
 */
export function readClaims(
  { payload }: ReadJws,
  issuer: string,
  now: number,
): TokenClaims | undefined {
  const claims = canonicalObject(payload)
  if (claims?.['iss'] !== issuer || claims['client_id'] !== accessTokenClient) return undefined
  const { sub, org_id, sid, jti } = claims
  if (!isUuid(sub) || !isUuid(org_id) || !isUuid(sid) || !isUuid(jti)) return undefined
  if (claims['aud'] !== audienceOf(issuer, org_id)) return undefined
  const { exp, iat, nbf } = claims
  if (!isTime(exp) || !isTime(iat) || !isTime(nbf)) return undefined
  if (exp * 1000 <= now || exp - iat > longestLifetime) return undefined
  if (Math.max(iat, nbf) * 1000 > now + skew) return undefined
  const sessionDigest = tokenSessionDigest(sid).toString('latin1')
  return { sub, org_id, sid, jti, exp, iat, sessionDigest }
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
