import { createHash } from 'node:crypto'
import { type PublishedSigningKey, publishedSigningKeys } from '../db/signingkey.ts'
import { type AuthLog, reasonOf } from './log.ts'

/** The public half of a signing key (RFC 7517, section 4; RFC 8037, section 2). Nothing else of it gets out. */
const members = ['kty', 'crv', 'x', 'y', 'kid', 'alg', 'use'] as const

export interface JwksOptions {
  readonly db: Parameters<typeof publishedSigningKeys>[0]
  readonly installation: string
  readonly log: AuthLog
  /** Milliseconds between two looks: a part of the time that a key is published before it signs. */
  readonly interval: number
}

/** The published key set, as it was last read: with the database away it goes on being served. */
export class Jwks {
  readonly #options: JwksOptions
  #timer: NodeJS.Timeout | undefined
  #current = render([])
  #loaded = false

  constructor(options: JwksOptions) {
    this.#options = options
  }

  /** The JSON text and its entity tag; undefined until it was read for the first time. */
  get current(): { readonly body: string; readonly etag: string } | undefined {
    return this.#loaded ? this.#current : undefined
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
      const { db, installation } = this.#options
      this.#current = render(await publishedSigningKeys(db, installation))
      this.#loaded = true
    } catch (error) {
      this.#options.log.warn({ error: reasonOf(error) }, 'the signing keys could not be read')
    }
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
