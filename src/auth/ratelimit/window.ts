/** How often something happened since its window began. */
export interface WindowCount {
  readonly count: number
  /** Milliseconds until the window ends. */
  readonly rest: number
}

/** Counts in windows of time, for whoever is limited. */
export interface Windows {
  /**
   * Counts one more.
   * @param length milliseconds; a window begins with the first of its counts
   */
  add(key: string, length: number): Promise<WindowCount>
}

interface Window {
  count: number
  /** Milliseconds of a clock that never goes back. */
  end: number
}

/** Counts in memory. What it does not know any more has not happened: it keeps those that came last. */
export class MemoryWindows implements Windows {
  readonly #most: number
  readonly #now: () => number
  readonly #windows = new Map<string, Window>()

  /**
   * @param most windows that are kept
   * @param now milliseconds of a clock that never goes back
   */
  constructor(most: number, now: () => number = () => performance.now()) {
    this.#most = most
    this.#now = now
  }

  async add(key: string, length: number): Promise<WindowCount> {
    const now = this.#now()
    const known = this.#windows.get(key)
    const window = known && known.end > now ? known : { count: 0, end: now + length }
    window.count++
    // To the end of the order: what is busy is not what is forgotten.
    this.#windows.delete(key)
    this.#windows.set(key, window)
    if (this.#windows.size > this.#most) this.#forgetEldest()
    return { count: window.count, rest: window.end - now }
  }

  #forgetEldest(): void {
    for (const key of this.#windows.keys()) {
      this.#windows.delete(key)
      return
    }
  }
}
