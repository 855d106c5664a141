import type { WallClock } from '../clock.ts'
import type { Credential } from '../index/credential.ts'
import type { Meters } from '../index/meters.ts'
import { type Allowed, type Denied, decide } from './decide.ts'
import type { CredentialLookup } from './lookup.ts'
import type { Question } from './question.ts'
import { presentedCredential, type RequestHeaders } from './requestheaders.ts'

/** There is no credential to decide on. */
interface Unauthenticated {
  readonly code: 'credential_missing' | 'credential_invalid'
  readonly credential?: undefined
  readonly quota?: undefined
}

export type Verdict = Allowed | Denied | Unauthenticated

export interface JudgeOptions {
  readonly lookup: CredentialLookup
  readonly meters: Meters
  readonly clock: WallClock
  /** This replica's part of a rate limit, now. */
  readonly share: () => number
}

const missing: Unauthenticated = { code: 'credential_missing' }
const invalid: Unauthenticated = { code: 'credential_invalid' }

/** Judges requests: who presents which credential, and whether it is enough for what is asked. */
export class Judge {
  readonly #options: JudgeOptions

  constructor(options: JudgeOptions) {
    this.#options = options
  }

  /**
   * @param address where the request comes from; undefined when that cannot be told
   * @returns at once whenever the index can tell
   * @throws UnavailableError, as a rejection, when nobody can
   */
  judge(
    headers: RequestHeaders,
    address: string | undefined,
    question: Question,
  ): Verdict | Promise<Verdict> {
    const presented = presentedCredential(headers)
    if (presented === undefined) return missing
    const { lookup, clock } = this.#options
    const now = clock.now()
    const monotonic = performance.now()
    const found = lookup.find(presented, now, monotonic)
    if (found instanceof Promise) {
      // The clocks are asked again: it may have expired while it was looked up.
      return found.then((credential) =>
        this.#decide(credential, headers, address, question, clock.now(), performance.now()),
      )
    }
    return this.#decide(found, headers, address, question, now, monotonic)
  }

  #decide(
    credential: Credential | undefined,
    { origin }: RequestHeaders,
    address: string | undefined,
    question: Question,
    now: number,
    monotonic: number,
  ): Verdict {
    if (credential === undefined) return invalid
    const { meters, share } = this.#options
    return decide(credential, question, { address, origin, now, monotonic, share: share() }, meters)
  }
}
