import type { EncryptionKey } from '../../api/v1alpha1/encryptionkey.ts'
import { backoff, jittered, type Random } from '../../k8s/clock.ts'
import { objectKey } from '../../k8s/object.ts'
import type { ReconcileContext } from '../../k8s/reconciler.ts'
import type { KeyDescription } from '../../kms/keymanagement.ts'
import type { Keyring } from '../../kms/keyring.ts'
import type { KeyReference } from '../../kms/reference.ts'
import { probe } from './probe.ts'
import type { Trouble } from './trouble.ts'

/** Milliseconds. */
export interface ProbeIntervals {
  /** From one probe of a key that is well to the next. */
  readonly every: number
  /** From the first probe that failed to the next; doubled with each, up to `every`. */
  readonly again: number
  /** For so long a probe that succeeded need not be repeated when only the counts are asked for. */
  readonly fresh: number
}

const usual: ProbeIntervals = { every: 300_000, again: 15_000, fresh: 30_000 }

/** Told of each probe. */
export interface ProbeObserver {
  /** @param reason why it failed; undefined when it did not */
  probed(namespace: string, name: string, seconds: number, reason: string | undefined): void
  forgotten(namespace: string, name: string): void
}

interface Entry {
  readonly failures: number
  readonly at: number
  readonly generation: number | undefined
  readonly requested: string | undefined
  readonly found: KeyDescription | Trouble
}

/** When each key was probed last, and what came of it. Kept in memory: a status that is written at each probe would never rest. */
export class ProbeHistory {
  readonly #keyring: Keyring
  readonly #observer: ProbeObserver
  readonly #random: Random
  readonly #intervals: ProbeIntervals
  readonly #entries = new Map<string, Entry>()

  constructor(
    keyring: Keyring,
    observer: ProbeObserver,
    random: Random,
    intervals: Partial<ProbeIntervals> = {},
  ) {
    this.#keyring = keyring
    this.#observer = observer
    this.#random = random
    this.#intervals = { ...usual, ...intervals }
  }

  /** Probes the key, unless that was done a moment ago and nobody asks for it. */
  async probe(
    key: EncryptionKey,
    reference: KeyReference,
    context: ReconcileContext,
  ): Promise<KeyDescription | Trouble> {
    const { namespace, name, generation, annotations } = key.metadata
    const requested = annotations?.['cardea.dev/reconcile-requested-at']
    const former = this.#entries.get(objectKey(key))
    const at = context.now().getTime()
    const unasked = former?.generation === generation && former?.requested === requested
    const fresh = former !== undefined && at - former.at < this.#intervals.fresh
    if (unasked && fresh && !('reason' in former.found)) return former.found
    const started = performance.now()
    const found = await probe(this.#keyring, reference, { namespace, name }, context.signal)
    const reason = 'reason' in found ? found.reason : undefined
    const isLeftAlone = 'reason' in found && found.again !== undefined
    if (!isLeftAlone) {
      this.#observer.probed(namespace, name, (performance.now() - started) / 1000, reason)
    }
    // One that never reached the key is none, and makes nobody wait longer.
    const failures = reason === undefined ? 0 : (former?.failures ?? 0) + (isLeftAlone ? 0 : 1)
    this.#entries.set(objectKey(key), { failures, at, generation, requested, found })
    return found
  }

  /** When the key is to be probed next. */
  nextAt(key: EncryptionKey, now: Date): Date {
    const { every, again } = this.#intervals
    const failures = this.#entries.get(objectKey(key))?.failures ?? 0
    const wait =
      failures === 0
        ? jittered(every, this.#random)
        : backoff(failures - 1, { base: again, max: every }, this.#random)
    return new Date(now.getTime() + wait)
  }

  forget(key: EncryptionKey): void {
    this.#entries.delete(objectKey(key))
    this.#observer.forgotten(key.metadata.namespace, key.metadata.name)
  }
}
