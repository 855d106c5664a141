/** What a ciphertext is bound to: flat names and values, also the KMS's encryption context where it has one. */
export type Context = Readonly<Record<string, string>>

/** A data key under a key-encryption key (KEK). `version` says which of the KEK's versions wrapped it. */
export interface WrappedKey {
  readonly provider: string
  readonly keyId: string
  readonly version: string
  readonly ciphertext: Buffer
}

/**
 * The seam to a key manager (NIST SP 800-57 terms). Every provider passes `test/support/keymanagement.ts`.
 * Both operations throw KeyManagementError and nothing else.
 */
export interface KeyManagement {
  readonly provider: string
  /** Wraps a data key of 32 bytes under the current version of the KEK, bound to the context. */
  wrap(dataKey: Uint8Array, context: Context): Promise<WrappedKey>
  /** Opens what `wrap` made, with whichever version made it; refuses another context, key or ciphertext. */
  unwrap(wrapped: WrappedKey, context: Context): Promise<Buffer>
}

/** Who must act: `unreachable` retries; the others want an administrator; `refused` means that it was not made for this place. */
export type KeyManagementCode = 'unreachable' | 'denied' | 'disabled' | 'not_found' | 'refused'

export class KeyManagementError extends Error {
  override readonly name = 'KeyManagementError'
  readonly code: KeyManagementCode

  /** @param message for people: names the key and what to do, never key material */
  constructor(code: KeyManagementCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** The context's bytes: JSON with sorted names, which for strings is RFC 8785's canonical form. */
export function contextBytes(context: Context): Buffer {
  const sorted = Object.keys(context)
    .toSorted()
    .map((name) => [name, context[name]])
  return Buffer.from(JSON.stringify(Object.fromEntries(sorted)))
}
