import { type KeyManagement, KeyManagementError } from '../../src/kms/keymanagement.ts'
import { testKek } from './operator.ts'

/** A key management service that a test takes away and brings back. */
export function unreliableKms(): KeyManagement & { away: boolean } {
  const reached = (): KeyManagement => {
    if (!unreliable.away) return testKek
    throw new KeyManagementError('unreachable', 'the key alias/acme does not answer')
  }
  const unreliable = {
    provider: testKek.provider,
    away: false,
    wrap: async (...given: Parameters<KeyManagement['wrap']>) => reached().wrap(...given),
    unwrap: async (...given: Parameters<KeyManagement['unwrap']>) => reached().unwrap(...given),
    describe: async () => reached().describe(),
  }
  return unreliable
}
