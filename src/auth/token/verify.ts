import { hash } from 'node:crypto'
import { UnavailableError } from '../check/readthrough.ts'
import { RecentMap } from '../recentmap.ts'
import { RecentSet } from '../recentset.ts'
import { keyIdOf, readClaims, type TokenClaims } from './verifyclaims.ts'
import { isSignedWith, type ReadJws, readJws, type VerificationKey } from './verifyjws.ts'

/** The keys that this installation publishes. */
interface VerificationKeys {
  key(id: string): VerificationKey | undefined
  /** Reads them again, unless that was done a moment ago. @throws UnavailableError when they cannot be read */
  refresh(): Promise<void>
}

export interface AccessTokensOptions {
  /** The `iss` of the tokens. */
  readonly issuer: string
  readonly keys: VerificationKeys
}

interface Verified {
  readonly claims: TokenClaims
  readonly key: VerificationKey
  readonly keyId: string
}

/** Of each half a kilobyte. Half as many can be in use before those in use begin to take each other's room. */
const maxVerified = 40_000
const maxRefused = 20_000
/** Verifications that wait at once. Each takes a thread for a tenth of a millisecond: a flood of forged tokens has the others wait some fifty, and turns nobody away before. */
const maxUnderWay = 2048

/**
 * Verifies access tokens. One that was seen before is known by its digest; its end and its key are looked at each time. Whether
 * its session lives is not told here.
 */
export class AccessTokens {
  readonly #options: AccessTokensOptions
  readonly #verified = new RecentMap<string, Verified>(maxVerified)
  readonly #refused = new RecentSet<string>(maxRefused)
  readonly #underWay = new Map<string, Promise<Verified | undefined>>()

  constructor(options: AccessTokensOptions) {
    this.#options = options
  }

  /** How many tokens are remembered. */
  get size(): number {
    return this.#verified.size
  }

  /**
   * @param now milliseconds since the epoch
   * @returns at once for a token that was seen before; undefined when it is none of this service, or not good now
   * @throws UnavailableError, as a rejection, when it cannot be told
   */
  verify(text: string, now: number): TokenClaims | undefined | Promise<TokenClaims | undefined> {
    const digest = hash('sha256', text, 'latin1')
    const known = this.#verified.get(digest)
    if (known !== undefined) return this.#whileGood(known, now)
    if (this.#refused.has(digest)) return undefined
    const jws = readJws(text)
    const keyId = jws && keyIdOf(jws)
    const claims = jws && readClaims(jws, this.#options.issuer, now)
    if (!keyId || !claims) return undefined
    return this.#once(digest, () => this.#verify(jws, keyId, claims, digest)).then(
      (verified) => verified && this.#whileGood(verified, now),
    )
  }

  #whileGood({ claims, key, keyId }: Verified, now: number): TokenClaims | undefined {
    // A key that is published no more was compromised, or all that it signed has ended.
    const isGood = claims.exp * 1000 > now && this.#options.keys.key(keyId) === key
    return isGood ? claims : undefined
  }

  async #once(
    digest: string,
    work: () => Promise<Verified | undefined>,
  ): Promise<Verified | undefined> {
    let underWay = this.#underWay.get(digest)
    if (underWay === undefined) {
      if (this.#underWay.size >= maxUnderWay) {
        throw new UnavailableError('too many tokens wait to be verified', false)
      }
      underWay = work().finally(() => this.#underWay.delete(digest))
      this.#underWay.set(digest, underWay)
    }
    return underWay
  }

  async #verify(
    jws: ReadJws,
    keyId: string,
    claims: TokenClaims,
    digest: string,
  ): Promise<Verified | undefined> {
    const { keys } = this.#options
    if (keys.key(keyId) === undefined) await keys.refresh()
    const key = keys.key(keyId)
    if (key === undefined) return undefined
    if (!(await isSignedWith(jws, key))) {
      this.#refused.add(digest)
      return undefined
    }
    const verified = { claims, key, keyId }
    this.#verified.set(digest, verified)
    return verified
  }
}
