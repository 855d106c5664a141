import {
  type Context,
  type KeyManagement,
  KeyManagementError,
  type WrappedKey,
} from './keymanagement.ts'
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

/**
 * The KEKs that this process uses: the default one, and those that organizations chose. A name in an envelope is not enough
 * to use a key: whoever can write an envelope could have it opened by a key of their own.
 */
export class Keyring {
  readonly #options: KeyringOptions
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
    let key = this.#open.get(line)
    if (!key) {
      key = this.#options.open(reference)
      this.#open.set(line, key)
    }
    return key
  }

  /** Whether resources of a namespace may choose a key: the default one, or one that is listed for it. */
  allows(namespace: string, reference: KeyReference): boolean {
    const line = describeReference(reference)
    if (line === describeReference(this.#options.defaultKey)) return true
    return this.#options.allowed.some(
      (rule) => ['*', namespace].includes(rule.namespace) && matches(line, rule.key),
    )
  }

  /** Opens a wrapped key with the KEK that it names, if that is the default one or one that some namespace may use. */
  async unwrap(wrapped: WrappedKey, context: Context, signal?: AbortSignal): Promise<Buffer> {
    const reference = referenceOf(wrapped.provider, wrapped.keyId)
    if (!reference) throw unknown(wrapped)
    const line = describeReference(reference)
    if (await this.#isDefault(wrapped, signal)) {
      return this.key(reference).unwrap(wrapped, context, signal)
    }
    if (!this.#options.allowed.some((rule) => matches(line, rule.key))) throw unknown(wrapped)
    return this.key(reference).unwrap(wrapped, context, signal)
  }

  /** Closes all connections. */
  async close(): Promise<void> {
    await Promise.all([...this.#open.values()].map(async (key) => key.close?.()))
  }

  async #isDefault(wrapped: WrappedKey, signal: AbortSignal | undefined): Promise<boolean> {
    if (this.#options.defaultKey.provider !== wrapped.provider) return false
    if (!this.#defaultIds.has(wrapped.keyId)) {
      this.#defaultIds.add((await this.default.describe(signal)).keyId)
    }
    return wrapped.provider === 'local' || this.#defaultIds.has(wrapped.keyId)
  }
}

function matches(line: string, pattern: string): boolean {
  const parts = pattern.split('*').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`).test(line)
}

function unknown({ provider, keyId }: WrappedKey): KeyManagementError {
  return new KeyManagementError(
    'not_found',
    `the ${provider} key ${keyId.slice(0, 200)} is neither the installation's nor allowed: list it in CARDEA_KMS_KEYS`,
  )
}
