/** Requests at once. */
const bounds = { all: 256, organization: 32 } as const

/** How much is under way. One organization, whose KMS may hang, must not keep all others out. */
export class UnderWay {
  readonly #counts = new Map<string, number>()
  #all = 0

  /** @returns false when there is too much already; else `leave` must follow */
  enter(organizationId: string): boolean {
    const own = this.#counts.get(organizationId) ?? 0
    if (this.#all >= bounds.all || own >= bounds.organization) return false
    this.#counts.set(organizationId, own + 1)
    this.#all += 1
    return true
  }

  leave(organizationId: string): void {
    const own = this.#counts.get(organizationId) ?? 0
    if (own > 1) this.#counts.set(organizationId, own - 1)
    else this.#counts.delete(organizationId)
    this.#all -= 1
  }
}
