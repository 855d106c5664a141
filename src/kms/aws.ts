import type { KeyManagement } from './keymanagement.ts'
import type { KeyReference } from './reference.ts'

export function awsKeyManagement(
  _reference: Extract<KeyReference, { provider: 'aws' }>,
  _settings: { readonly endpoint?: string | undefined },
): KeyManagement {
  throw new Error('to come')
}
