export interface CircuitOptions {
  /** After so many failures in a row nobody is let through. */
  readonly failures: number
  /** For so long, in milliseconds; then one is let through, and the others hear what comes of it. */
  readonly coolDown: number
  /** Milliseconds that the one may take. */
  readonly trial: number
  /** Milliseconds of a clock that nobody sets. */
  readonly now: () => number
}

/** A circuit breaker (closed, open, half open): keeps from whoever does not answer what it would not answer. */
export class Circuit {
  readonly #options: CircuitOptions
  #failed = 0
  #openUntil = Number.NEGATIVE_INFINITY
  #trying = false

  constructor(options: CircuitOptions) {
    this.#options = options
  }

  /**
   * Lets an operation through, which then says how it ended.
   * @returns 0, or how many milliseconds nobody is let through
   */
  enter(): number {
    const { failures, trial, now } = this.#options
    const left = this.#openUntil - now()
    if (left > 0) return left
    this.#trying = this.#failed >= failures
    if (this.#trying) this.#openUntil = now() + trial
    return 0
  }

  /** It was answered, whatever the answer was. */
  answered(): void {
    this.#failed = 0
    this.#openUntil = Number.NEGATIVE_INFINITY
    this.#trying = false
  }

  failed(): void {
    const { failures, coolDown, now } = this.#options
    this.#failed += 1
    this.#trying = false
    if (this.#failed >= failures) this.#openUntil = now() + coolDown
  }

  /** Whoever asked went away: nothing is known, and the next may try. */
  abandoned(): void {
    if (this.#trying) this.#openUntil = this.#options.now()
    this.#trying = false
  }
}
