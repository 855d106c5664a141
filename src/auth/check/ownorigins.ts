import type { Hosts } from '../plugins/hosts.ts'

const max = 1000

/** Tells the origins of our own pages; the same few are asked about all the time. */
export class OwnOrigins {
  readonly #hosts: Hosts | undefined
  readonly #answers = new Map<string, boolean>()

  /** @param hosts undefined where there are no pages */
  constructor(hosts: Hosts | undefined) {
    this.#hosts = hosts
  }

  has(origin: string): boolean {
    if (!this.#hosts) return false
    let answer = this.#answers.get(origin)
    if (answer === undefined) {
      answer = this.#hosts.originOf(origin.slice(origin.indexOf('//') + 2)) === origin
      if (this.#answers.size >= max) this.#answers.clear()
      this.#answers.set(origin, answer)
    }
    return answer
  }
}
