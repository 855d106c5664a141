import type { ApiKeyCredential } from './credential.ts'
import type { Meter } from './meter.ts'

/**
 * The meters of the keys that were used. They outlive the credentials, which are replaced at every change: a limit must
 * not start afresh because somebody edited a description.
 */
export class Meters {
  readonly #meters = new Map<string, Meter>()
  #used: Meter[] = []

  get size(): number {
    return this.#meters.size
  }

  of(credential: ApiKeyCredential): Meter {
    if (credential.meter !== undefined) return credential.meter
    let meter = this.#meters.get(credential.apiKeyId)
    if (meter === undefined) {
      const { apiKeyId, tenant } = credential
      meter = { apiKeyId, organizationId: tenant.id, fullAt: 0, uses: 0, lastUsedAt: 0 }
      this.#meters.set(apiKeyId, meter)
    }
    credential.meter = meter
    return meter
  }

  /** Counts one use. @param now milliseconds since the epoch */
  count(meter: Meter, now: number): void {
    if (meter.uses === 0) this.#used.push(meter)
    meter.uses++
    meter.lastUsedAt = Math.floor(now / 1000)
  }

  /** The meters with uses that nobody took yet. Whoever takes them sets `uses` to 0 or gives them back. */
  takeUsed(): readonly Meter[] {
    const used = this.#used
    this.#used = []
    return used
  }

  /** Gives back a meter whose uses could not be written down. */
  giveBack(meter: Meter, uses: number): void {
    if (meter.uses === 0 && uses > 0) this.#used.push(meter)
    meter.uses += uses
  }

  /** Drops the meters of keys that are no more. */
  forget(isKnown: (apiKeyId: string) => boolean): void {
    for (const [id, meter] of this.#meters) {
      if (meter.uses === 0 && !isKnown(id)) this.#meters.delete(id)
    }
  }
}
