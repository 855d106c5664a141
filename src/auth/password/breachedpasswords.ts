import { hash } from 'node:crypto'
import { passwordBytes } from '../../domain/password.ts'
import { type AuthLog, reasonOf } from '../log.ts'
import type { BreachedPasswords } from './newpassword.ts'

/** Milliseconds: somebody waits for the page. */
const deadline = 2000
/** Bytes. A range with its padding has some 40,000. */
const longestAnswer = 1_000_000
/** Hexadecimal digits of the digest that are given away. */
const prefixLength = 5
const line = /^([0-9A-F]{35}):([0-9]{1,12})$/

/**
 * Asks a collection of breached passwords by the protocol of Have I Been Pwned: it learns five digits of a SHA-1 digest, which
 * hundreds of passwords share, and its answer is padded, so that not even its length tells more. Where it cannot be asked, the
 * password passes: the list of common ones was asked before, and nobody is to be kept from setting one.
 */
export class BreachedPasswordRange implements BreachedPasswords {
  readonly #url: string
  readonly #log: AuthLog

  /** @param url what the five digits are appended to: `https://api.pwnedpasswords.com/range/` */
  constructor(url: string, log: AuthLog) {
    this.#url = url
    this.#log = log
  }

  async has(password: string): Promise<boolean> {
    const bytes = passwordBytes(password)
    if (!bytes) return false
    const digest = hash('sha1', bytes, 'hex').toUpperCase()
    try {
      const range = await this.#ask(digest.slice(0, prefixLength))
      return range.split(/\r?\n/).some((each) => {
        const [, rest, count] = line.exec(each) ?? []
        // Padding has a count of none.
        return rest === digest.slice(prefixLength) && Number(count) > 0
      })
    } catch (error) {
      const reason = reasonOf(error)
      this.#log.warn({ reason }, 'the collection of breached passwords could not be asked')
      return false
    }
  }

  async #ask(prefix: string): Promise<string> {
    const answer = await fetch(`${this.#url}${prefix}`, {
      headers: { 'add-padding': 'true', accept: 'text/plain' },
      redirect: 'error',
      signal: AbortSignal.timeout(deadline),
    })
    if (answer.status !== 200 || !answer.body) {
      await answer.body?.cancel()
      throw new Error(`it answered ${answer.status}`)
    }
    const chunks: Uint8Array[] = []
    let length = 0
    for await (const chunk of answer.body) {
      length += chunk.length
      if (length > longestAnswer) throw new Error('its answer has no end')
      chunks.push(chunk)
    }
    return Buffer.concat(chunks).toString('latin1')
  }
}
