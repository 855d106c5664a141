import { createHash } from 'node:crypto'
import { type PublishedSigningKey, publishedSigningKeys } from '../db/signingkey.ts'
import { UnavailableError } from './check/readthrough.ts'
import { type AuthLog, reasonOf } from './log.ts'
import { type VerificationKey, verificationKey } from './token/verifyjws.ts'

/** The public half of a signing key (RFC 7517, section 4; RFC 8037, section 2). Nothing else of it gets out. */
const members = ['kty', 'crv', 'x', 'y', 'kid', 'alg', 'use'] as const

export interface JwksOptions {
  readonly db: Parameters<typeof publishedSigningKeys>[0]
  readonly installation: string
  readonly log: AuthLog
  /** Milliseconds between two looks: a part of the time that a key is published before it signs. */
  readonly interval: number
}

/** Milliseconds: whoever makes up key ids has the database asked no more often. */
const refreshInterval = 1000

/**
 * The published key set, as it was last read: with the database away it goes on being served, and tokens are verified with
 * it and with no other key.
 */
export class Jwks {
  readonly #options: JwksOptions
  #timer: NodeJS.Timeout | undefined
  #current = render([])
  #loaded = false
  #keys: ReadonlyMap<string, VerificationKey> = new Map()
  #refreshing: Promise<void> | undefined
  #refreshedAt = Number.NEGATIVE_INFINITY

  constructor(options: JwksOptions) {
    this.#options = options
  }

  /** The JSON text and its entity tag; undefined until it was read for the first time. */
  get current(): { readonly body: string; readonly etag: string } | undefined {
    return this.#loaded ? this.#current : undefined
  }

  /** @param id its `kid` */
  key(id: string): VerificationKey | undefined {
    return this.#keys.get(id)
  }

  /** Reads the keys again, unless that was done a moment ago. @throws UnavailableError when they cannot be read */
  async refresh(): Promise<void> {
    if (performance.now() - this.#refreshedAt < refreshInterval) return
    this.#refreshing ??= this.#read().finally(() => {
      this.#refreshing = undefined
    })
    await this.#refreshing.catch(() => {
      throw new UnavailableError('the signing keys could not be read', true)
    })
  }

  start(): void {
    this.#timer = setInterval(() => void this.load(), this.#options.interval)
    void this.load()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Never rejects. */
  async load(): Promise<void> {
    try {
      await this.#read()
    } catch (error) {
      this.#options.log.warn({ error: reasonOf(error) }, 'the signing keys could not be read')
    }
  }

  async #read(): Promise<void> {
    const { db, installation } = this.#options
    const published = await publishedSigningKeys(db, installation)
    this.#refreshedAt = performance.now()
    this.#current = render(published)
    this.#keys = new Map(published.flatMap((key) => this.#verificationKey(key)))
    this.#loaded = true
  }

  /** One that was here stays the same object: by that it is known that what it verified is still good. */
  #verificationKey(row: PublishedSigningKey): [id: string, key: VerificationKey][] {
    const { id, algorithm, publicJwk } = row
    const key = verificationKey(algorithm, publicJwk)
    if (key === undefined) {
      this.#options.log.error({ kid: id }, 'a signing key cannot be used')
      return []
    }
    const known = this.#keys.get(id)
    return [[id, known?.key.equals(key.key) ? known : key]]
  }
}

function render(keys: readonly PublishedSigningKey[]): { body: string; etag: string } {
  const body = JSON.stringify({ keys: keys.map(({ publicJwk }) => publicHalf(publicJwk)) })
  return { body, etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"` }
}

function publicHalf(jwk: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    members.flatMap((name) => (jwk[name] === undefined ? [] : [[name, jwk[name]]])),
  )
}
