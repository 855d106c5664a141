import type { Credential } from '../index/credential.ts'
import type { AccessTokens } from '../token/verify.ts'
import type { CredentialLookup } from './lookup.ts'
import type { Presented } from './requestheaders.ts'

/** Longer than any API key, and shorter than any access token. */
const longestApiKey = 256

/** Tells whose credential is presented: each way takes those of its own kinds. */
export class Identities {
  readonly #lookup: CredentialLookup
  readonly #tokens: AccessTokens | undefined

  /** @param tokens undefined where nobody signs in: then no access token is good */
  constructor(lookup: CredentialLookup, tokens: AccessTokens | undefined) {
    this.#lookup = lookup
    this.#tokens = tokens
  }

  /**
   * @param now milliseconds since the epoch, by a clock that never goes back
   * @returns at once whenever that can be; undefined when it is no live credential
   * @throws UnavailableError, as a rejection, when it cannot be told
   */
  of(
    { carrier, text }: Presented,
    now: number,
    monotonic: number,
  ): Credential | undefined | Promise<Credential | undefined> {
    if (carrier === 'cookie') return this.#lookup.findSession(text, now, monotonic)
    if (carrier === 'bearer' && text.length > longestApiKey)
      return this.#ofToken(text, now, monotonic)
    return this.#lookup.find(text, now, monotonic)
  }

  #ofToken(
    text: string,
    now: number,
    monotonic: number,
  ): Credential | undefined | Promise<Credential | undefined> {
    const claims = this.#tokens?.verify(text, now)
    if (!(claims instanceof Promise)) {
      return claims && this.#lookup.findTokenSession(claims, now, monotonic)
    }
    return claims.then((late) => late && this.#lookup.findTokenSession(late, now, monotonic))
  }
}
