import { type KeyManagement, KeyManagementError, type WrappedKey } from './keymanagement.ts'
import { describeReference, type KeyReference, referenceOf } from './reference.ts'

export interface KeyringOptions {
  readonly open: (reference: KeyReference) => KeyManagement
  readonly defaultKey: KeyReference
  /**
   * Who may use which key: a namespace, or * for all, and what `describeReference` gives of the key, with * for any
   * characters. Envelopes name their key by its provider's own name, so for AWS the ARN has to be allowed beside the alias.
   */
  readonly allowed: readonly { readonly namespace: string; readonly key: string }[]
}

/** Keys that are open at once. Whoever may choose any key of a pattern could otherwise open as many as there are. */
const mostOpen = 256
/** Milliseconds until a key that was dropped is closed: something may be under way with it. */
const closing = 60_000

/**
 * The KEKs that this process uses: the default one, and those that organizations chose. A name in an envelope is not enough
 * to use a key: whoever can write an envelope could have it opened by a key of their own.
 */
export class Keyring {
  readonly #options: KeyringOptions
  /** The least recently used first. */
  readonly #open = new Map<string, KeyManagement>()
  /** The names that the default key's provider gave for it: an alias may lead elsewhere by and by. */
  readonly #defaultIds = new Set<string>()

  constructor(options: KeyringOptions) {
    this.#options = options
  }

  /** The key that wraps for whoever chose none. */
  get default(): KeyManagement {
    return this.key(this.#options.defaultKey)
  }

  /** A key, whoever may use it. @throws KeyManagementError when this installation has no settings for it */
  key(reference: KeyReference): KeyManagement {
    const line = describeReference(reference)
    const key = this.#open.get(line) ?? this.#options.open(reference)
    this.#open.delete(line)
    this.#open.set(line, key)
    if (this.#open.size > mostOpen) this.#dropOldest()
    return key
  }

  /** Whether resources of a namespace may choose a key: the default one, or one that is listed for it. */
  allows(namespace: string, reference: KeyReference): boolean {
    const line = describeReference(reference)
    return line === describeReference(this.#options.defaultKey) || this.#lists(namespace, line)
  }

  /**
   * Opens what was wrapped for a namespace, by the KEK that the wrapped key names: one that is listed for the namespace, or
   * the default one.
   * @param namespace null: what belongs to no namespace, such as the installation's own
   */
  of(namespace: string | null): Pick<KeyManagement, 'unwrap'> {
    return {
      unwrap: async (wrapped, context, signal) => {
        const reference = referenceOf(wrapped.provider, wrapped.keyId)
        if (!reference) throw unknown(wrapped)
        // The list first: the default key's troubles are not everybody's.
        const listed = this.#lists(namespace, describeReference(reference))
        if (!listed && !(await this.#isDefault(wrapped, signal))) throw unknown(wrapped)
        return this.key(reference).unwrap(wrapped, context, signal)
      },
    }
  }

  /** Closes all connections. */
  async close(): Promise<void> {
    await Promise.all([...this.#open.values()].map(async (key) => key.close?.()))
  }

  #lists(namespace: string | null, line: string): boolean {
    return this.#options.allowed.some(
      (rule) => (rule.namespace === '*' || rule.namespace === namespace) && matches(line, rule.key),
    )
  }

  async #isDefault(wrapped: WrappedKey, signal: AbortSignal | undefined): Promise<boolean> {
    const { defaultKey } = this.#options
    if (defaultKey.provider !== wrapped.provider) return false
    if (defaultKey.provider === 'local' || this.#defaultIds.has(wrapped.keyId)) return true
    // Where its reference is its name, nobody has to be asked.
    const named = referenceOf(wrapped.provider, wrapped.keyId)
    if (named && describeReference(named) === describeReference(defaultKey)) return true
    this.#defaultIds.add((await this.default.describe(signal)).keyId)
    return this.#defaultIds.has(wrapped.keyId)
  }

  #dropOldest(): void {
    const [line = ''] = this.#open.keys()
    const dropped = this.#open.get(line)
    this.#open.delete(line)
    setTimeout(() => {
      dropped?.close?.().catch(() => {})
    }, closing).unref()
  }
}

function matches(line: string, pattern: string): boolean {
  const parts = pattern.split('*').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`).test(line)
}

function unknown({ provider, keyId }: WrappedKey): KeyManagementError {
  return new KeyManagementError(
    'not_found',
    `the ${provider} key ${keyId.slice(0, 200)} is neither the installation's nor listed for the namespace: its administrator lists it in CARDEA_KMS_KEYS (kms.allowedKeys of the chart)`,
  )
}
