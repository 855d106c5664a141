import type { IncomingMessage } from 'node:http'
import type { Credential } from '../index/credential.ts'
import type { AuthLog } from '../log.ts'
import type { ProblemCode } from '../problem.ts'

export interface Denial {
  readonly requestId: string
  readonly code: ProblemCode
  readonly address: string | undefined
  /** Undefined when it is not known. */
  readonly credential: Credential | undefined
  /** A trusted proxy says what was asked for originally. */
  readonly original?: IncomingMessage | undefined
}

/** Lines a second: a flood of wrong keys must fill neither the disk nor the day. */
const maxLines = 50

/** Logs who was turned away and why. Values are JSON strings: nothing in them can begin another line. */
export class DenialLog {
  readonly #log: AuthLog
  #second = 0
  #lines = 0
  #omitted = 0

  constructor(log: AuthLog) {
    this.#log = log
  }

  write(denial: Denial, now: number): void {
    const second = Math.floor(now / 1000)
    if (second !== this.#second) {
      if (this.#omitted > 0) {
        this.#log.warn({ omitted: this.#omitted }, 'more was denied than is logged')
      }
      this.#second = second
      this.#lines = 0
      this.#omitted = 0
    }
    if (this.#lines >= maxLines) {
      this.#omitted++
      return
    }
    this.#lines++
    const { requestId, code, address, credential, original } = denial
    this.#log.info(
      {
        requestId,
        code,
        address,
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

/** The original request without its query, where secrets may be. */
function originalRequest({ headers }: IncomingMessage): object {
  const first = (...names: string[]): string | undefined => {
    const value = names.map((name) => headers[name]).find((text) => typeof text === 'string')
    return typeof value === 'string' ? value.slice(0, 256) : undefined
  }
  return {
    originalMethod: first('x-forwarded-method', 'x-original-method'),
    originalHost: first('x-forwarded-host', 'x-original-host'),
    originalPath: first('x-forwarded-uri', 'x-original-uri', 'x-original-url')?.split('?', 1)[0],
  }
}
