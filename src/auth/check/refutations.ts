/** More than this many at once are forgotten from the oldest on. */
const max = 20_000

/**
 * Credentials that PostgreSQL was asked about and did not have, and when. An index that is older than such an answer must
 * not be believed about them: a key that was refused once would be good again until the index catches up, or for as long
 * as PostgreSQL is away.
 */
export class Refutations {
  readonly #answeredAt = new Map<string, number>()

  /** @param at when PostgreSQL answered, on the monotonic clock */
  note(digest: string, found: boolean, at: number): void {
    this.#answeredAt.delete(digest)
    if (found) return
    const [oldest] = this.#answeredAt.size < max ? [] : this.#answeredAt.keys()
    if (oldest !== undefined) this.#answeredAt.delete(oldest)
    this.#answeredAt.set(digest, at)
  }

  /**
   * Whether the index is not to be believed about a credential.
   * @param asOf what the index knows everything up to, on the monotonic clock
   */
  stands(digest: string, asOf: number): boolean {
    if (this.#answeredAt.size === 0) return false
    const at = this.#answeredAt.get(digest)
    if (at === undefined) return false
    if (asOf <= at) return true
    this.#answeredAt.delete(digest)
    return false
  }
}
