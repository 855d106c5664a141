import type { KeyObject } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { SignJWT } from 'jose'
import type { Pool } from 'pg'
import { type SigningKeyRow, signingKeysOf } from '../../db/signingkey.ts'
import { type AccessTokenClaims, accessTokenType } from '../../domain/accesstoken.ts'
import { activeSigningKey, type SigningKeyTimes } from '../../domain/signingkey.ts'
import { openSigningKey, publishedHalf } from '../../encryption/signingkey.ts'
import type { KeyManagement } from '../../kms/keymanagement.ts'
import type { WallClock } from '../clock.ts'
import { type AuthLog, reasonOf } from '../log.ts'

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

/** What signs where the settings name no key management service: nothing. */
export const noSigner: AccessTokenSigner = {
  available: false,
  sign: async () => {
    throw new SigningUnavailableError('there is no key management service')
  },
}

export interface SigningKeysOptions {
  readonly pool: Pool
  readonly installation: string
  /** What opens the private halves. */
  readonly keyring: Pick<KeyManagement, 'unwrap'>
  readonly clock: Pick<WallClock, 'now'>
  readonly log: AuthLog
}

/** RFC 8037. ES256 is published for others; what we sign ourselves is signed by this. */
const algorithm = 'EdDSA'
/**
 * Milliseconds: a key is published for long before it signs, and one that is compromised must go soon. In a new installation the
 * operator makes the first key while people wait.
 */
const interval = { usual: 30_000, afterFailure: 5000, beforeFirst: 500 } as const

interface OpenKey extends SigningKeyTimes {
  readonly privateKey: KeyObject
}

/**
 * The private signing keys, opened once each by the key manager and read again now and then. They are kept as handles: their
 * bytes are in no memory of ours. A request never waits for the key manager.
 */
export class SigningKeys implements AccessTokenSigner {
  readonly #options: SigningKeysOptions
  #keys: readonly OpenKey[] = []
  #timer: NodeJS.Timeout | undefined
  #loading: Promise<boolean> | undefined
  #stopped = false

  constructor(options: SigningKeysOptions) {
    this.#options = options
  }

  get available(): boolean {
    return this.#active() !== undefined
  }

  async sign(claims: AccessTokenClaims): Promise<string> {
    const key = this.#active()
    if (!key) throw new SigningUnavailableError('no signing key is open')
    const header = { alg: algorithm, typ: accessTokenType, kid: key.id }
    return new SignJWT({ ...claims }).setProtectedHeader(header).sign(key.privateKey)
  }

  start(): void {
    this.#stopped = false
    void this.#loop()
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  /** Reads the keys anew. Never rejects. @returns whether all of them are open */
  async load(): Promise<boolean> {
    this.#loading ??= this.#load().finally(() => {
      this.#loading = undefined
    })
    return this.#loading
  }

  async #loop(): Promise<void> {
    const well = await this.load()
    if (this.#stopped) return
    const next = this.available ? 'usual' : 'beforeFirst'
    this.#timer = setTimeout(() => void this.#loop(), interval[well ? next : 'afterFailure'])
  }

  #active(): OpenKey | undefined {
    return activeSigningKey(this.#keys, algorithm, new Date(this.#options.clock.now()))
  }

  async #load(): Promise<boolean> {
    const { pool, installation, log } = this.#options
    let rows: readonly SigningKeyRow[]
    try {
      rows = await signingKeysOf(pool, installation)
    } catch (error) {
      log.warn({ error: reasonOf(error) }, 'the private signing keys could not be read')
      return false
    }
    const own = rows.filter((row) => row.algorithm === algorithm)
    const opened = await Promise.all(own.map((row) => this.#open(row)))
    // What is gone from the table is gone from here: it may be compromised.
    this.#keys = opened.filter((key) => key !== undefined)
    return this.#keys.length === own.length
  }

  async #open(row: SigningKeyRow): Promise<OpenKey | undefined> {
    const { keyring, log } = this.#options
    const { id, createdAt, activeAt } = row
    const known = this.#keys.find((key) => key.id === id)
    // The id is the thumbprint of the public half, so that the same id is the same key.
    if (known) return { ...known, createdAt, activeAt }
    try {
      const privateKey = await openSigningKey(keyring, row)
      const half = publishedHalf(privateKey, algorithm)
      if (half.id !== id || !isDeepStrictEqual(half.publicJwk, row.publicJwk)) {
        log.error({ kid: id }, 'a signing key is not the one that is published under its name')
        return undefined
      }
      return { id, algorithm, createdAt, activeAt, privateKey }
    } catch (error) {
      log.warn({ kid: id, error: reasonOf(error) }, 'a signing key could not be opened')
      return undefined
    }
  }
}
