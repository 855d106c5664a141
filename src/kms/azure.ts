import type { KeyManagement } from './keymanagement.ts'
import type { KeyReference } from './reference.ts'

export function azureKeyManagement(
  _reference: Extract<KeyReference, { provider: 'azure' }>,
): KeyManagement {
  throw new Error('to come')
}
