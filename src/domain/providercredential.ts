import { createHmac, hkdfSync } from 'node:crypto'

/** Where the credentials of third-party providers come from. */
const modes = ['VaultOnly', 'BringYourOwn', 'Either'] as const
export type ProviderCredentialMode = (typeof modes)[number]

/** Bytes of a value. */
export const maxValueLength = 65_536
/** So many versions are kept, revoked and wiped, beside the one that is in force. */
const keptRevoked = 2
/** Of a shorter value, four characters would be worth guessing from. */
const longEnough = 16
const fingerprintDigits = 16

/**
 * The mode that holds in a project, or for the organization as a whole. What is not known is taken for the strictest.
 * @param project the project's own settings; undefined without one
 */
export function modeOf(
  organization: Readonly<Record<string, unknown>>,
  project?: Readonly<Record<string, unknown>>,
): ProviderCredentialMode {
  const named = namedMode(project) ?? namedMode(organization)
  return modes.find((mode) => mode === named) ?? 'VaultOnly'
}

function namedMode(settings: Readonly<Record<string, unknown>> | undefined): unknown {
  const rules = settings?.['providerCredentials']
  if (typeof rules !== 'object' || rules === null || !('mode' in rules)) return undefined
  return rules.mode ?? undefined
}

/** Why a caller gets none, for programs. */
export type SourceRefusal = 'own_credential_not_allowed' | 'own_credential_required'

/** Whose credential is used for a request. @param own whether the caller brought one */
export function chooseSource(
  mode: ProviderCredentialMode,
  own: boolean,
): 'own' | 'vault' | SourceRefusal {
  switch (mode) {
    case 'VaultOnly':
      return own ? 'own_credential_not_allowed' : 'vault'
    case 'BringYourOwn':
      return own ? 'own' : 'own_credential_required'
    case 'Either':
      return own ? 'own' : 'vault'
    default:
      return mode satisfies never
  }
}

interface Candidate {
  readonly id: string
  readonly projectId: string | null
}

/**
 * The credential for a request: the project's own, else the organization's; the oldest where there are several.
 * @param candidates live ones for the provider
 * @param projectId undefined: the request is for the organization as a whole
 */
export function chooseCredential<C extends Candidate>(
  candidates: readonly C[],
  projectId: string | undefined,
): C | undefined {
  const eldest = candidates.toSorted((a, b) => (a.id < b.id ? -1 : 1))
  const ofProject = eldest.find((candidate) => candidate.projectId === (projectId ?? null))
  return ofProject ?? eldest.find((candidate) => candidate.projectId === null)
}

export type ValueProblem = 'empty' | 'too_long' | 'not_text'

/** What is wrong with a value; undefined when it can be kept. JSON, and PostgreSQL, know text without NUL only. */
export function valueProblem(value: Buffer): ValueProblem | undefined {
  if (value.length === 0) return 'empty'
  if (value.length > maxValueLength) return 'too_long'
  if (value.includes(0)) return 'not_text'
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(value)
    return undefined
  } catch {
    return 'not_text'
  }
}

/**
 * By which people recognise a value. The key is derived, so that nobody without the organization's data key can try values.
 * @param dataKey 32 bytes
 * @returns 16 hexadecimal digits
 */
export function fingerprintOf(dataKey: Uint8Array, organizationId: string, value: Buffer): string {
  const info = `cardea provider-credential fingerprint ${organizationId}`
  const key = Buffer.from(hkdfSync('sha256', dataKey, Buffer.alloc(0), info, 32))
  try {
    return createHmac('sha256', key).update(value).digest('hex').slice(0, fingerprintDigits)
  } finally {
    key.fill(0)
  }
}

/** The last four characters, where they give nothing away and can be shown. */
export function lastFourOf(value: string): string | undefined {
  if (value.length < longEnough) return undefined
  return /[!-~]{4}$/.exec(value)?.[0]
}

interface Version {
  readonly id: string
  readonly version: number
  readonly revokedAt: Date | null
}

/** What is to become of a credential's versions. */
export interface VersionPlan {
  /** The number of the next one. */
  readonly next: number
  readonly revoke: readonly string[]
  readonly remove: readonly string[]
}

/** How a credential gets a new version: those in force are revoked, and of the revoked ones the oldest go. */
export function planVersions(versions: readonly Version[]): VersionPlan {
  const newestFirst = versions.toSorted((a, b) => b.version - a.version)
  return {
    next: (newestFirst[0]?.version ?? 0) + 1,
    revoke: newestFirst
      .slice(0, keptRevoked)
      .filter(({ revokedAt }) => revokedAt === null)
      .map(({ id }) => id),
    remove: newestFirst.slice(keptRevoked).map(({ id }) => id),
  }
}

/** The version that workloads get: the newest that is not revoked. */
export function versionInForce<V extends Version>(versions: readonly V[]): V | undefined {
  return versions
    .filter(({ revokedAt }) => revokedAt === null)
    .toSorted((a, b) => b.version - a.version)[0]
}

/**
 * The place that a version's value is sealed for: it opens in no other row, in no other credential's, and in no other
 * organization.
 */
export function sealedColumn(version: {
  readonly organizationId: string
  readonly providerCredentialId: string
  readonly id: string
}) {
  const { organizationId, providerCredentialId, id } = version
  const rowId = `${providerCredentialId}/${id}`
  return { organizationId, table: 'provider_credential_versions', rowId, column: 'sealed' }
}
