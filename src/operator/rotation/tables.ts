import type { SealedTable } from '../../db/sealed.ts'
import { fingerprintOf } from '../../domain/providercredential.ts'

/** Every table with a column that data keys seal. */
export const sealedTables: readonly SealedTable[] = [
  {
    table: 'provider_credential_versions',
    column: 'sealed',
    rowId: `provider_credential_id || '/' || id`,
    derived: (dataKey, organizationId, value) => ({
      fingerprint: fingerprintOf(dataKey, organizationId, value),
    }),
  },
]
