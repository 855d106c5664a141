import { RecentSet } from '../recentset.ts'

const max = 20_000

/** Credentials that PostgreSQL does not have, for as long as none was added that may be one of them. */
export class Absences {
  readonly #absent = new RecentSet<string>(max)
  #since = 0

  /** @param generation another one whenever there may be a credential that there was not before */
  has(key: string, generation: number): boolean {
    if (generation !== this.#since) {
      this.#absent.clear()
      this.#since = generation
    }
    return this.#absent.has(key)
  }

  /** @param generation when PostgreSQL was asked: what was added meanwhile may be this one */
  add(key: string, generation: number): void {
    if (generation === this.#since) this.#absent.add(key)
  }
}
