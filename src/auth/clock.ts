/** The time of day, which here never goes back: set back, a clock would revive what has expired. */
export class WallClock {
  #latest = 0

  /** Milliseconds since the epoch. */
  now(): number {
    const now = Date.now()
    if (now > this.#latest) this.#latest = now
    return this.#latest
  }
}
