import type { WallClock } from '../clock.ts'
import type { Credential } from '../index/credential.ts'
import {
  type Allowed,
  type Circumstances,
  type Denied,
  decide,
  type Surroundings,
} from './decide.ts'
import type { Identities } from './identities.ts'
import type { Question } from './question.ts'
import { presentedCredential, type RequestHeaders } from './requestheaders.ts'

/** There is no credential to decide on. */
interface Unauthenticated {
  readonly code: 'credential_missing' | 'credential_invalid'
  readonly credential?: undefined
  readonly quota?: undefined
}

export type Verdict = Allowed | Denied | Unauthenticated

export interface JudgeOptions extends Surroundings {
  readonly identities: Identities
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
    const { identities, clock } = this.#options
    const { origin } = headers
    const now = clock.now()
    const monotonic = performance.now()
    // A page that hides its origin from others may hide it from its own as well.
    const ambient = presented.carrier === 'cookie' && headers.sameOrigin !== true
    const found = identities.of(presented, now, monotonic)
    if (found instanceof Promise) {
      // The clocks are asked again: it may have expired while it was looked up.
      return found.then((credential) =>
        this.#decide(credential, question, {
          address,
          origin,
          ambient,
          now: clock.now(),
          monotonic: performance.now(),
          share: this.#options.share(),
        }),
      )
    }
    const share = this.#options.share()
    return this.#decide(found, question, { address, origin, ambient, now, monotonic, share })
  }

  #decide(
    credential: Credential | undefined,
    question: Question,
    circumstances: Circumstances,
  ): Verdict {
    if (credential === undefined) return invalid
    return decide(credential, question, circumstances, this.#options)
  }
}
