import type { DataKeyRow } from '../db/datakey.ts'
import { type Column, openColumn, sealColumn } from '../kms/column.ts'
import { untilGivenUp } from '../kms/giveup.ts'
import { KeyManagementError } from '../kms/keymanagement.ts'
import type { Keyring } from '../kms/keyring.ts'
import { dataKeyContext, dataKeyLength, wrappedOf } from './datakey.ts'
import { type DataKeyBounds, DataKeyCache } from './datakeycache.ts'

/** One use of a KEK, for the access log. */
export interface Unwrap {
  readonly organizationId: string
  readonly dataKeyVersion: number
  readonly kek: DataKeyRow['kek']
}

export interface DataKeysOptions {
  readonly keyring: Pick<Keyring, 'of'>
  /** Milliseconds of a clock that nobody sets. */
  readonly now: () => number
  readonly bounds?: Partial<DataKeyBounds>
  /** Told of each data key that the KMS opened. */
  readonly onUnwrap?: (unwrap: Unwrap) => void
}

/** AWS's Encryption SDK and Google's Tink are as careful: minutes, not hours, and far below GCM's bound of 2^32 seals. */
const usual: DataKeyBounds = { lifetime: 300_000, uses: 100_000, keys: 1000 }

/** Seals and opens columns of organizations that one namespace declares. All may throw KeyManagementError. */
export interface NamespaceDataKeys {
  /**
   * Encrypts a value for its column.
   * @param dataKey the organization's active key
   */
  seal(
    dataKey: DataKeyRow,
    column: Column,
    plaintext: Uint8Array,
    signal?: AbortSignal,
  ): Promise<Buffer>
  /**
   * Decrypts a value of its column; `refused` when it was altered or belongs elsewhere.
   * @param dataKey the key of the version that sealed it
   */
  open(dataKey: DataKeyRow, column: Column, sealed: Buffer, signal?: AbortSignal): Promise<Buffer>
  /** Calls `work` with the key itself, which it must not keep: for what is derived from it. */
  derive<T>(dataKey: DataKeyRow, work: (key: Buffer) => T, signal?: AbortSignal): Promise<T>
}

/** Unwraps the data keys of organizations, and asks the KMS for each at most now and then. */
export class DataKeys {
  readonly #options: DataKeysOptions
  readonly #cache: DataKeyCache
  /** Keys that are being unwrapped: a hundred requests at once ask the KMS once. */
  readonly #pending = new Map<string, Promise<void>>()

  constructor(options: DataKeysOptions) {
    this.#options = options
    this.#cache = new DataKeyCache({ ...usual, ...options.bounds }, options.now)
  }

  /** @param namespace whose keys may have wrapped them; null: the organization was made through the API */
  of(namespace: string | null): NamespaceDataKeys {
    return {
      seal: (dataKey, column, plaintext, signal) =>
        this.#with(namespace, dataKey, signal, (key) => sealColumn(key, plaintext, column)),
      open: (dataKey, column, sealed, signal) =>
        this.#with(namespace, dataKey, signal, (key) => openColumn(key, sealed, column)),
      derive: (dataKey, work, signal) => this.#with(namespace, dataKey, signal, work),
    }
  }

  /** Forgets and zeroes what is over; call it now and then. */
  sweep(): void {
    this.#cache.sweep()
  }

  /** Forgets and zeroes all keys. */
  clear(): void {
    this.#cache.clear()
  }

  async #with<T>(
    namespace: string | null,
    dataKey: DataKeyRow,
    signal: AbortSignal | undefined,
    work: (key: Buffer) => T,
  ): Promise<T> {
    // The wrapping is part of the name: a row that somebody exchanged is not what was unwrapped before.
    const { organizationId, version, wrapped } = dataKey
    const name = `${namespace ?? ''}/${organizationId}/${version}/${wrapped.toString('base64')}`
    for (;;) {
      const key = this.#cache.use(name)
      if (key) return work(key)
      let pending = this.#pending.get(name)
      if (!pending) {
        // Nobody's signal: others wait for it too.
        pending = this.#unwrap(name, namespace, dataKey).finally(() => this.#pending.delete(name))
        this.#pending.set(name, pending)
      }
      await untilGivenUp(pending, 'the key management service', signal)
    }
  }

  async #unwrap(name: string, namespace: string | null, dataKey: DataKeyRow): Promise<void> {
    const { organizationId, version, kek } = dataKey
    const context = dataKeyContext(organizationId, version)
    const key = await this.#options.keyring.of(namespace).unwrap(wrappedOf(dataKey), context)
    if (key.length !== dataKeyLength) {
      throw new KeyManagementError('refused', 'what was unwrapped is no data key')
    }
    this.#options.onUnwrap?.({ organizationId, dataKeyVersion: version, kek })
    this.#cache.put(name, key)
  }
}
