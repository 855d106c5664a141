import { RecentSet } from '../recentset.ts'

const max = 20_000
/** Milliseconds, for what another replica saw a moment ago is written down late. */
const forgetfulness = 5000

/** Sessions that PostgreSQL says are idle too: it is not asked about them again at every request. */
export class IdleSessions {
  readonly #idle = new RecentSet<string>(max)
  #since = Number.NEGATIVE_INFINITY

  has(key: string, monotonic: number): boolean {
    if (monotonic - this.#since <= forgetfulness) return this.#idle.has(key)
    this.#idle.clear()
    return false
  }

  add(key: string, monotonic: number): void {
    if (monotonic - this.#since > forgetfulness) {
      this.#idle.clear()
      this.#since = monotonic
    }
    this.#idle.add(key)
  }
}
