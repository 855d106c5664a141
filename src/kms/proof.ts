import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'
import { type Context, contextBytes, KeyManagementError } from './keymanagement.ts'

const length = 32

/**
 * Puts a proof behind a key manager's ciphertext: that this data key, this ciphertext and this context belong together.
 * It is for those whose answer alone does not say so: an emulator that authenticates nothing, a KMS that gives back
 * another key's bytes. AES-GCM itself commits to no key, so an answer may be wrong and still decrypt something.
 * @returns the ciphertext, then HMAC-SHA-256 over both under a key made from the data key
 */
export function withProof(ciphertext: Uint8Array, dataKey: Uint8Array, context: Context): Buffer {
  return Buffer.concat([ciphertext, proof(ciphertext, dataKey, context)])
}

/** Takes apart what `withProof` made; undefined when it is too short to be that. */
export function splitProof(
  proven: Buffer,
): { readonly ciphertext: Buffer; readonly proof: Buffer } | undefined {
  if (proven.length <= length) return undefined
  return { ciphertext: proven.subarray(0, -length), proof: proven.subarray(-length) }
}

/** @throws KeyManagementError `refused` when the three do not belong together */
export function expectProof(
  { ciphertext, proof: claimed }: { readonly ciphertext: Uint8Array; readonly proof: Uint8Array },
  dataKey: Uint8Array,
  context: Context,
): void {
  if (timingSafeEqual(proof(ciphertext, dataKey, context), claimed)) return
  const message = 'the wrapped data key was altered or was made for another place'
  throw new KeyManagementError('refused', message)
}

function proof(ciphertext: Uint8Array, dataKey: Uint8Array, context: Context): Buffer {
  const key = hkdfSync('sha256', dataKey, '', 'cardea.dev wrapped data key', 32)
  const size = Buffer.alloc(4)
  size.writeUInt32BE(ciphertext.length)
  return createHmac('sha256', Buffer.from(key))
    .update(size)
    .update(ciphertext)
    .update(contextBytes(context))
    .digest()
}
