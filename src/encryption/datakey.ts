import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { DataKeyRow } from '../db/datakey.ts'
import {
  type Context,
  type KeyManagement,
  KeyManagementError,
  type WrappedKey,
} from '../kms/keymanagement.ts'

/** Bytes: AES-256. */
export const dataKeyLength = 32

/** What a data key is bound to at the KEK: it opens for no other organization, and under no other version. */
export function dataKeyContext(organizationId: string, version: number): Context {
  return { organization: organizationId, purpose: 'data-key', version: String(version) }
}

/**
 * Makes a data key of 32 random bytes for an organization, wrapped by its KEK. The key itself is kept nowhere.
 * @param reader what will have to open it
 * @throws KeyManagementError
 */
export async function makeDataKey(
  kek: KeyManagement,
  reader: Reader,
  organizationId: string,
  version: number,
  signal?: AbortSignal,
): Promise<Pick<DataKeyRow, 'organizationId' | 'version' | 'kek' | 'wrapped'>> {
  const key = randomBytes(dataKeyLength)
  try {
    const context = dataKeyContext(organizationId, version)
    const wrapped = await wrapForReader(kek, reader, key, context, signal)
    return { organizationId, version, ...rowOf(wrapped) }
  } finally {
    key.fill(0)
  }
}

/** A row's columns as the key managers know them. */
export function wrappedOf({ kek, wrapped }: Pick<DataKeyRow, 'kek' | 'wrapped'>): WrappedKey {
  return { ...kek, ciphertext: wrapped } as WrappedKey
}

/** The columns of a wrapped data key. */
export function rowOf(wrapped: WrappedKey): Pick<DataKeyRow, 'kek' | 'wrapped'> {
  const { provider, keyId, version, ciphertext } = wrapped
  return { kek: { provider, keyId, version }, wrapped: ciphertext }
}

/** What opens wrapped keys for one namespace. */
type Reader = Pick<KeyManagement, 'unwrap'>

/**
 * Wraps a data key, and opens it again the way that readers will: what they may not, or cannot, open must never take the place
 * of what they can.
 * @throws KeyManagementError
 */
export async function wrapForReader(
  kek: KeyManagement,
  reader: Reader,
  dataKey: Uint8Array,
  context: Context,
  signal?: AbortSignal,
): Promise<WrappedKey> {
  const wrapped = await kek.wrap(dataKey, context, signal)
  const opened = await reader.unwrap(wrapped, context, signal)
  const same = opened.length === dataKey.length && timingSafeEqual(opened, dataKey)
  opened.fill(0)
  if (same) return wrapped
  throw new KeyManagementError('refused', 'the key manager gave back another data key')
}
