import { randomBytes } from 'node:crypto'
import { withoutApiKeys } from '../domain/apikey.ts'

const sane = /^[A-Za-z0-9][A-Za-z0-9._-]{7,127}$/

/** Names requests, so that an answer, a log line and an audit event can be put together. */
export class RequestIds {
  readonly #prefix = randomBytes(9).toString('base64url').replaceAll(/[-_]/g, '0')
  #count = 0

  /** @param proposed by a proxy that is trusted: it has named the request already */
  next(proposed: string | undefined): string {
    if (proposed !== undefined && sane.test(proposed)) {
      // It is logged and sent back: a credential in the wrong header must not be.
      if (withoutApiKeys(proposed) === proposed) return proposed
    }
    return `${this.#prefix}-${(this.#count++).toString(36)}`
  }
}
