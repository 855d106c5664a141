import { hash, timingSafeEqual } from 'node:crypto'
import type { DataKeyRow } from '../../db/datakey.ts'
import { newId } from '../../db/identity.ts'
import type { ProviderCredentialVersionRow } from '../../db/providercredential.ts'
import {
  fingerprintOf,
  lastFourOf,
  planVersions,
  sealedColumn,
  type VersionPlan,
  versionInForce,
} from '../../domain/providercredential.ts'
import type { SecretObject } from '../../k8s/secret.ts'
import { KeyManagementError } from '../../kms/keymanagement.ts'
import { activeDataKey } from '../datakey.ts'
import type { OperatorDependencies } from '../dependencies.ts'
import type { Seen } from './look.ts'
import type { Readable } from './valueless.ts'

/** A new version of a credential. Nothing of it is written yet. */
export interface NewVersion {
  readonly row: Omit<ProviderCredentialVersionRow, 'revokedAt'>
  readonly plan: VersionPlan
  /** What sealed it. */
  readonly dataKey: DataKeyRow
}

/** How the value in force compares with the one in the Secret. `altered`: it does not open. */
export async function compareValue(
  deps: OperatorDependencies,
  seen: Seen,
  value: Buffer,
  signal: AbortSignal,
): Promise<'same' | 'other' | 'altered' | 'none'> {
  const opened = await openCurrent(deps, seen, signal)
  if (typeof opened === 'string') return opened
  const same = opened.length === value.length && timingSafeEqual(opened, value)
  opened.fill(0)
  return same ? 'same' : 'other'
}

/** Whether the value in force opens. */
export async function isReadable(
  deps: OperatorDependencies,
  seen: Seen,
  signal: AbortSignal,
): Promise<Readable> {
  try {
    const opened = await openCurrent(deps, seen, signal)
    if (typeof opened === 'string') return 'no'
    opened.fill(0)
    return 'yes'
  } catch (error) {
    if (error instanceof KeyManagementError && error.passes) return 'unknown'
    throw error
  }
}

/**
 * The value in force. `altered`: it does not open, because somebody changed it or moved it here, or its data key is lost.
 * @throws KeyManagementError
 */
async function openCurrent(
  deps: OperatorDependencies,
  { organization, versions, dataKeys }: Seen,
  signal: AbortSignal,
): Promise<Buffer | 'altered' | 'none'> {
  const current = versionInForce(versions)
  if (!current) return 'none'
  const dataKey = dataKeys.find(({ version }) => version === current.dataKeyVersion)
  if (!dataKey) return 'altered'
  try {
    return await deps.dataKeys
      .of(organization.ownerNamespace)
      .open(dataKey, sealedColumn(current), current.sealed, signal)
  } catch (error) {
    if (error instanceof KeyManagementError && error.code === 'refused') return 'altered'
    throw error
  }
}

/**
 * Seals a value as the next version.
 * @param credentialId the record's id, which there need not be yet
 * @throws KeyManagementError
 */
export async function sealVersion(
  deps: OperatorDependencies,
  seen: Seen,
  credentialId: string,
  value: Buffer,
  now: Date,
  signal: AbortSignal,
): Promise<NewVersion> {
  const { organization, versions } = seen
  const dataKey = await activeDataKey(
    deps,
    { ...organization, organizationId: organization.id },
    signal,
    { active: seen.dataKeys.find(({ retiredAt }) => retiredAt === null), next: seen.nextDataKey },
  )
  const plan = planVersions(versions)
  const organizationId = organization.id
  const place = { organizationId, id: newId(), providerCredentialId: credentialId }
  const own = deps.dataKeys.of(organization.ownerNamespace)
  const fingerprint = await own.derive(
    dataKey,
    (key) => fingerprintOf(key, organizationId, value),
    signal,
  )
  const sealed = await own.seal(dataKey, sealedColumn(place), value, signal)
  return {
    row: {
      ...place,
      version: plan.next,
      dataKeyVersion: dataKey.version,
      sealed,
      fingerprint,
      lastFour: lastFourOf(value.toString()) ?? null,
      createdAt: now,
    },
    plan,
    dataKey,
  }
}

/**
 * What a comparison was made of. While none of it changes the KMS need not be asked again, so that what is in force stays
 * so when it is away.
 */
export function witnessOf(
  secret: SecretObject | undefined,
  key: string,
  current: ProviderCredentialVersionRow,
  dataKey: DataKeyRow | undefined,
): string {
  const { uid, resourceVersion } = secret?.metadata ?? {}
  const sealed = hash('sha256', Buffer.concat([current.sealed, dataKey?.wrapped ?? Buffer.of()]))
  return [uid, resourceVersion, key, current.providerCredentialId, current.id, sealed].join('/')
}
