/** What a ciphertext is bound to: flat names and values, also the KMS's encryption context where it has one. */
export type Context = Readonly<Record<string, string>>

export const providers = ['aws', 'gcp', 'azure', 'vault', 'local'] as const
export type Provider = (typeof providers)[number]

/** A data key under a key-encryption key (KEK). */
export interface WrappedKey {
  readonly provider: Provider
  /** The KEK by the one name that its provider has for it, so that it opens wherever that name can be reached. */
  readonly keyId: string
  /** Which of the KEK's versions wrapped it. */
  readonly version: string
  readonly ciphertext: Buffer
}

/** A KEK as it is now. */
export interface KeyDescription {
  readonly keyId: string
  /** The version that wraps from now on. */
  readonly version: string
}

/**
 * The seam to one KEK of a key manager (NIST SP 800-57 terms). Every provider passes `test/support/keymanagement.ts`.
 * All operations throw KeyManagementError and nothing else. A provider tries once, and gives up when the signal is
 * aborted; `patient` adds the deadline, the repetition and the back-off.
 */
export interface KeyManagement {
  readonly provider: Provider
  /** Wraps a data key of 32 bytes under the current version of the KEK, bound to the context. */
  wrap(dataKey: Uint8Array, context: Context, signal?: AbortSignal): Promise<WrappedKey>
  /** Opens what `wrap` made, with whichever version made it; refuses another context, key or ciphertext. */
  unwrap(wrapped: WrappedKey, context: Context, signal?: AbortSignal): Promise<Buffer>
  /** Which key this is, and its current version. Proves no right to use it: only a wrap and an unwrap do. */
  describe(signal?: AbortSignal): Promise<KeyDescription>
  /** Closes its connections. */
  close?(): Promise<void>
}

/**
 * Who must act. `unreachable` and `throttled` pass by themselves; `denied`, `disabled`, `pending_deletion` and `not_found`
 * want the key's administrator; `refused` means that it was altered, or was not made for this place.
 */
export type KeyManagementCode =
  | 'unreachable'
  | 'throttled'
  | 'denied'
  | 'disabled'
  | 'pending_deletion'
  | 'not_found'
  | 'refused'

export class KeyManagementError extends Error {
  override readonly name = 'KeyManagementError'
  readonly code: KeyManagementCode
  /** It was not even asked, and will be in so many milliseconds. */
  readonly again: number | undefined

  /** @param message for people: names the key and what to do, never key material */
  constructor(
    code: KeyManagementCode,
    message: string,
    options: ErrorOptions & { readonly again?: number } = {},
  ) {
    super(message, options)
    this.code = code
    this.again = options.again
  }

  /** Whether the same may succeed a little later without anybody doing anything. */
  get passes(): boolean {
    return this.code === 'unreachable' || this.code === 'throttled'
  }
}

/** The context's bytes: JSON with sorted names, which for strings is RFC 8785's canonical form. */
export function contextBytes(context: Context): Buffer {
  const sorted = Object.keys(context)
    .toSorted()
    .map((name) => [name, context[name]])
  return Buffer.from(JSON.stringify(Object.fromEntries(sorted)))
}
