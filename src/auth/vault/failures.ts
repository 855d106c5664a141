import type { KeyManagementError } from '../../kms/keymanagement.ts'

/** Milliseconds. */
const lifetime = 5000
const most = 1000

/** Data keys that the KMS would not open, for a while: it is not asked at every request what it answered just now. */
export class FailedUnwraps {
  readonly #now: () => number
  /** The eldest first. */
  readonly #failures = new Map<
    string,
    { readonly error: KeyManagementError; readonly at: number }
  >()

  /** @param now milliseconds of a clock that nobody sets */
  constructor(now: () => number) {
    this.#now = now
  }

  /** What an unwrap failed with just now. @param name of the data key */
  of(name: string): KeyManagementError | undefined {
    const failure = this.#failures.get(name)
    return failure && this.#now() - failure.at < lifetime ? failure.error : undefined
  }

  /** Takes down what does not pass by itself, and is the key's own trouble rather than that of a sealed value. */
  add(name: string, error: KeyManagementError): void {
    if (error.passes || error.code === 'refused' || this.of(name)) return
    this.#failures.delete(name)
    this.#failures.set(name, { error, at: this.#now() })
    for (const [eldest, { at }] of this.#failures) {
      if (this.#failures.size <= most && this.#now() - at < lifetime) return
      this.#failures.delete(eldest)
    }
  }
}
