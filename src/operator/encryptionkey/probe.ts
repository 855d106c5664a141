import { randomBytes } from 'node:crypto'
import { dataKeyLength, wrapForReader } from '../../encryption/datakey.ts'
import { type KeyDescription, KeyManagementError } from '../../kms/keymanagement.ts'
import type { Keyring } from '../../kms/keyring.ts'
import { describeReference, type KeyReference, referenceOf } from '../../kms/reference.ts'
import { notAllowed, type Trouble, troubleOf } from './trouble.ts'

/**
 * Tries a key as it will be used: describes it, wraps, and unwraps by the name that the envelope gives it.
 * @returns the key as it is, or what is wrong with it
 */
export async function probe(
  keyring: Keyring,
  reference: KeyReference,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  signal?: AbortSignal,
): Promise<KeyDescription | Trouble> {
  if (!keyring.allows(namespace, reference))
    return notAllowed(namespace, describeReference(reference))
  const context = { purpose: 'probe', namespace, name }
  const dataKey = randomBytes(dataKeyLength)
  try {
    const key = keyring.key(reference)
    const description = await key.describe(signal)
    const named = referenceOf(reference.provider, description.keyId)
    if (named && !keyring.allows(namespace, named)) {
      return notAllowed(namespace, describeReference(named), true)
    }
    const wrapped = await wrapForReader(key, keyring.of(namespace), dataKey, context, signal)
    // Wrapped last: between the two it may have been rotated.
    return { keyId: wrapped.keyId, version: wrapped.version }
  } catch (error) {
    if (error instanceof KeyManagementError) return troubleOf(error)
    throw error
  } finally {
    dataKey.fill(0)
  }
}
