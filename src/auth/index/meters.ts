import type { ApiKeyCredential } from './credential.ts'
import type { CredentialIndex } from './credentialindex.ts'
import type { Meter } from './meter.ts'

const maxStrays = 10_000

/**
 * The meters of the keys that were used, and which of them have uses that were not written down. The index hands a meter on
 * when it replaces a credential: a limit must not start afresh because somebody edited a description.
 */
export class Meters {
  readonly #index: () => CredentialIndex
  /** Of keys that the index does not have yet, while they are read through. */
  readonly #strays = new Map<string, Meter>()
  readonly #used: Meter[] = []

  /** @param index the index as it is when it is asked for */
  constructor(index: () => CredentialIndex) {
    this.#index = index
  }

  of(credential: ApiKeyCredential): Meter {
    credential.meter ??= this.#find(credential)
    return credential.meter
  }

  /** Counts one use. @param now milliseconds since the epoch */
  count(meter: Meter, now: number): void {
    if (meter.uses === 0) this.#used.push(meter)
    meter.uses++
    meter.lastUsedAt = Math.floor(now / 1000)
  }

  /** The meters with uses that nobody took yet, those that have waited longest first. Whoever takes them sets `uses` to 0 or gives them back. */
  takeUsed(most: number): readonly Meter[] {
    return this.#used.splice(0, most)
  }

  /** Gives back a meter whose uses could not be written down. */
  giveBack(meter: Meter, uses: number): void {
    if (meter.uses === 0 && uses > 0) this.#used.push(meter)
    meter.uses += uses
  }

  #find(credential: ApiKeyCredential): Meter {
    const { apiKeyId, tenant } = credential
    let indexed = this.#index().apiKey(apiKeyId)
    // Another organization may have a key of the same id.
    while (indexed && indexed.tenant.id !== tenant.id) indexed = indexed.sibling
    if (indexed === undefined) return this.#stray(apiKeyId, tenant.id)
    const meter = indexed.meter ?? this.#comeIn(apiKeyId, tenant.id)
    for (let secret: ApiKeyCredential | undefined = indexed; secret; secret = secret.sibling) {
      if (secret.tenant.id === tenant.id) secret.meter = meter
    }
    return meter
  }

  #stray(apiKeyId: string, organizationId: string): Meter {
    const key = keyOf(apiKeyId, organizationId)
    const known = this.#strays.get(key)
    if (known) return known
    // More keys at once than this, in the seconds of a start, lose their limit for these seconds.
    if (this.#strays.size >= maxStrays) this.#strays.clear()
    const meter = unused(apiKeyId, organizationId)
    this.#strays.set(key, meter)
    return meter
  }

  /** The meter of a key that the index has by now. */
  #comeIn(apiKeyId: string, organizationId: string): Meter {
    const key = keyOf(apiKeyId, organizationId)
    const meter = this.#strays.get(key) ?? unused(apiKeyId, organizationId)
    this.#strays.delete(key)
    return meter
  }
}

function keyOf(apiKeyId: string, organizationId: string): string {
  return `${organizationId}/${apiKeyId}`
}

function unused(apiKeyId: string, organizationId: string): Meter {
  return { apiKeyId, organizationId, fullAt: 0, uses: 0, lastUsedAt: 0 }
}
