import type { IncomingMessage } from 'node:http'
import { withoutApiKeys } from '../../domain/apikey.ts'
import type { Credential } from '../index/credential.ts'
import type { AuthLog } from '../log.ts'
import type { ProblemCode } from '../problem.ts'

export interface Denial {
  readonly requestId: string
  readonly code: ProblemCode
  readonly address: string | undefined
  /** Undefined when it is not known. */
  readonly credential: Credential | undefined
  /** Method and path as they are described, without what a client put there. */
  readonly route?: string | undefined
  /** A trusted proxy says what was asked for originally. */
  readonly original?: IncomingMessage | undefined
}

/**
 * Lines a second, for denials with a credential that is known and again for those without: a flood of wrong keys must fill
 * neither the disk nor the day, and must not hide that a key of ours is tried where it may not be used.
 */
const maxLines = 50

/** Logs who was turned away and why. Values are JSON strings: nothing in them can begin another line. */
export class DenialLog {
  readonly #log: AuthLog
  #second = 0
  #known = { lines: 0, omitted: 0 }
  #unknown = { lines: 0, omitted: 0 }

  constructor(log: AuthLog) {
    this.#log = log
  }

  write(denial: Denial, now: number): void {
    const second = Math.floor(now / 1000)
    if (second !== this.#second) {
      const known = this.#known.omitted
      const omitted = known + this.#unknown.omitted
      if (omitted > 0) this.#log.warn({ omitted, known }, 'more was denied than is logged')
      this.#second = second
      this.#known = { lines: 0, omitted: 0 }
      this.#unknown = { lines: 0, omitted: 0 }
    }
    const budget = denial.credential ? this.#known : this.#unknown
    if (budget.lines >= maxLines) {
      budget.omitted++
      return
    }
    budget.lines++
    const { requestId, code, address, credential, route, original } = denial
    this.#log.info(
      {
        requestId,
        code,
        address,
        ...(route !== undefined && { route }),
        ...(credential && {
          organization: credential.tenant.name,
          subject: credential.name,
          credentialId: credential.id,
        }),
        ...(original && originalRequest(original)),
      },
      'denied',
    )
  }
}

/** The original request without its query, where secrets may be, and without keys that stand elsewhere. */
function originalRequest({ headers }: IncomingMessage): object {
  const first = (...names: string[]): string | undefined => {
    const value = names.map((name) => headers[name]).find((text) => typeof text === 'string')
    return typeof value === 'string' ? withoutApiKeys(value).slice(0, 256) : undefined
  }
  return {
    originalMethod: first('x-forwarded-method', 'x-original-method'),
    originalHost: first('x-forwarded-host', 'x-original-host'),
    originalPath: first('x-forwarded-uri', 'x-original-uri', 'x-original-url')?.split('?', 1)[0],
  }
}
