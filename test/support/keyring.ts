import type { KeyManagement } from '../../src/kms/keymanagement.ts'
import { Keyring } from '../../src/kms/keyring.ts'
import type { KeyReference } from '../../src/kms/reference.ts'

/** A keyring of which one key is the default, and any namespace may choose the others. */
export function keyringOf(
  defaultKey: KeyManagement,
  others: (reference: KeyReference) => KeyManagement = () => defaultKey,
): Keyring {
  return new Keyring({
    open: (reference) => (reference.provider === 'local' ? defaultKey : others(reference)),
    defaultKey: { provider: 'local' },
    allowed: [{ namespace: '*', key: '*' }],
  })
}
