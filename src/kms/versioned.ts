import type { Context, WrappedKey } from './keymanagement.ts'
import { expectProof, splitProof, withProof } from './proof.ts'

/**
 * The ciphertext of a key manager whose own form does not show the version: `VERSION:`, what the manager made, and a proof
 * over both, so that a version is no label that somebody changes to keep a stale data key from being noticed.
 */
export function withVersion(
  version: string,
  ciphertext: Uint8Array,
  dataKey: Uint8Array,
  context: Context,
): Buffer {
  return withProof(Buffer.concat([Buffer.from(`${version}:`), ciphertext]), dataKey, context)
}

export interface Versioned {
  /** What the key manager made. */
  readonly ciphertext: Buffer
  /** @throws KeyManagementError `refused` when this is not the data key, or not the context */
  readonly expect: (dataKey: Uint8Array, context: Context) => void
}

/** Takes apart what `withVersion` made; undefined when it is of another version than it says, or nothing of the sort. */
export function splitVersion({ version, ciphertext }: WrappedKey): Versioned | undefined {
  const parts = splitProof(ciphertext)
  const label = Buffer.from(`${version}:`)
  if (!parts?.ciphertext.subarray(0, label.length).equals(label)) return undefined
  const rest = parts.ciphertext.subarray(label.length)
  if (rest.length === 0) return undefined
  return { ciphertext: rest, expect: (dataKey, context) => expectProof(parts, dataKey, context) }
}
