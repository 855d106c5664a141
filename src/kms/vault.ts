import type { KeyManagement } from './keymanagement.ts'
import type { KeyReference, VaultSettings } from './reference.ts'

export function vaultKeyManagement(
  _reference: Extract<KeyReference, { provider: 'vault' }>,
  _settings: VaultSettings,
): KeyManagement {
  throw new Error('to come')
}
