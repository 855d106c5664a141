import { Networks } from '../network.ts'
import { isScopeToken } from '../scope.ts'

/** What a key may be used for, from where and how often; one object for all keys that say the same. */
export interface Policy {
  /** What it was read from. */
  readonly text: string
  readonly scopes: readonly string[]
  /** The scopes as RFC 6749, section 3.3, writes them: separated by spaces. */
  readonly scope: string
  readonly scopesJson: string
  /** Undefined: from anywhere. */
  readonly networks: Networks | undefined
  /** Undefined: any. */
  readonly origins: ReadonlySet<string> | undefined
  readonly rateLimit: RateLimit | undefined
}

export interface RateLimit {
  readonly requests: number
  /** Milliseconds. */
  readonly window: number
  /** The size of the bucket. */
  readonly burst: number
  /** As RateLimit-Policy says it (draft-ietf-httpapi-ratelimit-headers-10, section 3). */
  readonly header: string
}

/** Keeps one policy for each text that describes it, for as long as a key has it. */
export class PolicyPool {
  readonly #policies = new Shared<Policy>((text) => this.#read(text))
  readonly #networks = new Shared<Networks>((text) => new Networks(JSON.parse(text) as string[]))

  /** @param text a JSON array, as `IndexedApiKey.policy` describes it */
  acquire(text: string): Policy {
    return this.#policies.acquire(text)
  }

  /** To be called as often as `acquire`. */
  release({ text }: Policy): void {
    if (!this.#policies.release(text)) return
    const [, cidrs] = JSON.parse(text) as PolicyText
    if (cidrs.length > 0) this.#networks.release(JSON.stringify(cidrs))
  }

  get size(): number {
    return this.#policies.size
  }

  #read(text: string): Policy {
    const [written, cidrs, origins, requests, window, burst] = JSON.parse(text) as PolicyText
    const scopes = written.filter(isScopeToken)
    return {
      text,
      scopes,
      scope: scopes.join(' '),
      scopesJson: JSON.stringify(scopes),
      networks: cidrs.length > 0 ? this.#networks.acquire(JSON.stringify(cidrs)) : undefined,
      origins: origins.length > 0 ? new Set(origins) : undefined,
      rateLimit:
        requests === null || window === null
          ? undefined
          : rateLimitOf(requests, window, burst ?? requests),
    }
  }
}

function rateLimitOf(requests: number, window: number, burst: number): RateLimit {
  const seconds = Math.max(1, Math.ceil(window / 1000))
  return { requests, window, burst, header: `"api-key";q=${requests};w=${seconds}` }
}

type PolicyText = [
  scopes: string[],
  cidrs: string[],
  origins: string[],
  requests: number | null,
  window: number | null,
  burst: number | null,
]

/** One value for each text, made at its first use and dropped at its last. */
class Shared<Value> {
  readonly #make: (text: string) => Value
  readonly #entries = new Map<string, { readonly value: Value; uses: number }>()

  constructor(make: (text: string) => Value) {
    this.#make = make
  }

  get size(): number {
    return this.#entries.size
  }

  acquire(text: string): Value {
    let entry = this.#entries.get(text)
    if (entry === undefined) {
      entry = { value: this.#make(text), uses: 0 }
      this.#entries.set(text, entry)
    }
    entry.uses++
    return entry.value
  }

  /** Whether this was the last use. */
  release(text: string): boolean {
    const entry = this.#entries.get(text)
    if (entry === undefined || --entry.uses > 0) return false
    return this.#entries.delete(text)
  }
}
