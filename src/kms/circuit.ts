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

/** Whoever was let through says how it ended. What was let through before the circuit opened, or closed, says nothing any more. */
export interface Permit {
  answered(): void
  failed(): void
  /** Nothing is known: whoever asked went away, or was turned back before anything was sent. */
  undecided(): void
}

/** A circuit breaker (closed, open, half open): keeps from whoever does not answer what it would not answer. */
export class Circuit {
  readonly #options: CircuitOptions
  #failed = 0
  #openUntil = Number.NEGATIVE_INFINITY
  /** Another number whenever it opened, closed or let one try. */
  #generation = 0

  constructor(options: CircuitOptions) {
    this.#options = options
  }

  /** @returns a permit, or how many milliseconds nobody is let through */
  enter(): Permit | number {
    const { failures, trial, now } = this.#options
    const left = this.#openUntil - now()
    if (left > 0) return left
    if (this.#failed >= failures) this.#openUntilAfter(trial)
    const generation = this.#generation
    const ifPresent = (end: () => void) => (): void => {
      if (generation === this.#generation) end()
    }
    return {
      answered: ifPresent(() => this.#close()),
      failed: ifPresent(() => this.#fail()),
      undecided: ifPresent(() => this.#undecided()),
    }
  }

  #close(): void {
    if (this.#failed >= this.#options.failures) this.#generation += 1
    this.#failed = 0
    this.#openUntil = Number.NEGATIVE_INFINITY
  }

  #fail(): void {
    const { failures, coolDown } = this.#options
    this.#failed += 1
    if (this.#failed >= failures) this.#openUntilAfter(coolDown)
  }

  #undecided(): void {
    // The one that tried: the next may.
    if (this.#failed >= this.#options.failures) this.#openUntilAfter(0)
  }

  #openUntilAfter(wait: number): void {
    this.#openUntil = this.#options.now() + wait
    this.#generation += 1
  }
}
