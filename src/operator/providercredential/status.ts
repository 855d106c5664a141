import type { ProviderCredentialStatus } from '../../api/v1alpha1/providercredential.ts'
import type {
  ProviderCredentialRow,
  ProviderCredentialVersionRow,
} from '../../db/providercredential.ts'
import { versionInForce } from '../../domain/providercredential.ts'
import { secondsTime } from '../../k8s/status.ts'

/** What people are shown of a credential: never more of its value than four characters. */
export function providerCredentialStatus(
  row: ProviderCredentialRow,
  versions: readonly ProviderCredentialVersionRow[],
): ProviderCredentialStatus {
  const current = versionInForce(versions)
  const newestFirst = versions.toSorted((a, b) => b.version - a.version).slice(0, 8)
  return {
    id: row.id,
    ...(current && {
      version: current.version,
      fingerprint: current.fingerprint,
      dataKeyVersion: current.dataKeyVersion,
      ...(current.lastFour !== null && { lastFour: current.lastFour }),
    }),
    versions: newestFirst.map(versionStatus),
  }
}

function versionStatus(row: ProviderCredentialVersionRow) {
  const { version, fingerprint, createdAt, revokedAt } = row
  return {
    version,
    fingerprint,
    createdAt: secondsTime(createdAt),
    ...(revokedAt && { revokedAt: secondsTime(revokedAt) }),
  }
}
