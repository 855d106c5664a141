import type { DataKeyRow } from '../db/datakey.ts'
import { type Column, openColumn, sealColumn } from '../kms/column.ts'
import type { Keyring } from '../kms/keyring.ts'
import { dataKeyContext, wrappedOf } from './datakey.ts'
import { type DataKeyBounds, DataKeyCache } from './datakeycache.ts'

/** One use of a KEK, for the access log. */
export interface Unwrap {
  readonly organizationId: string
  readonly dataKeyVersion: number
  readonly kek: DataKeyRow['kek']
}

export interface DataKeysOptions {
  readonly keyring: Pick<Keyring, 'unwrap'>
  /** Milliseconds of a clock that nobody sets. */
  readonly now: () => number
  readonly bounds?: Partial<DataKeyBounds>
  /** Told of each data key that the KMS opened. */
  readonly onUnwrap?: (unwrap: Unwrap) => void
}

/** AWS's Encryption SDK and Google's Tink are as careful: minutes, not hours, and far below GCM's bound of 2^32 seals. */
const usual: DataKeyBounds = { lifetime: 300_000, uses: 100_000, keys: 1000 }

/** Seals and opens columns with the data keys of organizations, and asks the KMS for each key at most now and then. */
export class DataKeys {
  readonly #options: DataKeysOptions
  readonly #cache: DataKeyCache
  /** Keys that are being unwrapped: a hundred requests at once ask the KMS once. */
  readonly #pending = new Map<string, Promise<void>>()

  constructor(options: DataKeysOptions) {
    this.#options = options
    this.#cache = new DataKeyCache({ ...usual, ...options.bounds }, options.now)
  }

  /**
   * Encrypts a value for its column.
   * @param dataKey the organization's active key
   * @throws KeyManagementError
   */
  seal(dataKey: DataKeyRow, column: Column, plaintext: Uint8Array, signal?: AbortSignal) {
    return this.#with(dataKey, signal, (key) => sealColumn(key, plaintext, column))
  }

  /**
   * Decrypts a value of its column.
   * @param dataKey the key of the version that sealed it
   * @throws KeyManagementError `refused` when it was altered or belongs elsewhere
   */
  open(dataKey: DataKeyRow, column: Column, sealed: Buffer, signal?: AbortSignal) {
    return this.#with(dataKey, signal, (key) => openColumn(key, sealed, column))
  }

  /** Calls `work` with the key itself, which it must not keep: for what is derived from it. */
  derive<T>(dataKey: DataKeyRow, work: (key: Buffer) => T, signal?: AbortSignal): Promise<T> {
    return this.#with(dataKey, signal, work)
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
    dataKey: DataKeyRow,
    signal: AbortSignal | undefined,
    work: (key: Buffer) => T,
  ): Promise<T> {
    // The wrapping is part of the name: a row that somebody exchanged is not what was unwrapped before.
    const name = `${dataKey.organizationId}/${dataKey.version}/${dataKey.wrapped.toString('base64')}`
    for (;;) {
      const key = this.#cache.use(name)
      if (key) return work(key)
      let pending = this.#pending.get(name)
      if (!pending) {
        pending = this.#unwrap(name, dataKey, signal).finally(() => this.#pending.delete(name))
        this.#pending.set(name, pending)
      }
      await pending
    }
  }

  async #unwrap(name: string, dataKey: DataKeyRow, signal: AbortSignal | undefined): Promise<void> {
    const { organizationId, version, kek } = dataKey
    const context = dataKeyContext(organizationId, version)
    const key = await this.#options.keyring.unwrap(wrappedOf(dataKey), context, signal)
    this.#options.onUnwrap?.({ organizationId, dataKeyVersion: version, kek })
    this.#cache.put(name, key)
  }
}
