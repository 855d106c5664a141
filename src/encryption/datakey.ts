import { randomBytes } from 'node:crypto'
import type { DataKeyRow } from '../db/datakey.ts'
import type { Context, KeyManagement, WrappedKey } from '../kms/keymanagement.ts'

/** What a data key is bound to at the KEK: it opens for no other organization, and under no other version. */
export function dataKeyContext(organizationId: string, version: number): Context {
  return { organization: organizationId, purpose: 'data-key', version: String(version) }
}

/**
 * Makes a data key of 32 random bytes for an organization, wrapped by its KEK. The key itself is kept nowhere.
 * @throws KeyManagementError
 */
export async function makeDataKey(
  kek: KeyManagement,
  organizationId: string,
  version: number,
  signal?: AbortSignal,
): Promise<Pick<DataKeyRow, 'organizationId' | 'version' | 'kek' | 'wrapped'>> {
  const key = randomBytes(32)
  try {
    const wrapped = await kek.wrap(key, dataKeyContext(organizationId, version), signal)
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
