import type { KeyManagement } from './keymanagement.ts'
import type { KeyReference } from './reference.ts'

export function gcpKeyManagement(
  _reference: Extract<KeyReference, { provider: 'gcp' }>,
  _settings: { readonly endpoint?: string | undefined },
): KeyManagement {
  throw new Error('to come')
}
