import type { APIKey, APIKeyStatus } from '../../api/v1alpha1/apikey.ts'
import type { ApiKeyRow, ApiKeySecretRow } from '../../db/apikey.ts'
import { readDuration } from '../../domain/duration.ts'
import { nextRotationAt, type RotationRule } from '../../domain/rotation.ts'
import { secondsTime } from '../../k8s/status.ts'

export function rotationRule(apiKey: APIKey): RotationRule | undefined {
  const { rotation } = apiKey.spec
  if (!rotation) return undefined
  return { every: readDuration(rotation.every) ?? 0, overlap: readDuration(rotation.overlap) ?? 0 }
}

/** What people are shown of a key: never more of it than four characters. */
export function apiKeyStatus(
  apiKey: APIKey,
  row: ApiKeyRow,
  secrets: readonly ApiKeySecretRow[],
  prefix: string | undefined,
): APIKeyStatus {
  const current = secrets.find((secret) => secret.expiresAt === null)
  const rule = rotationRule(apiKey)
  const minted = current?.source === 'minted'
  return {
    id: row.id,
    ...(minted && prefix !== undefined && { prefix }),
    keys: secrets.toReversed().map((secret) => keyStatus(row, secret)),
    ...(row.expiresAt && { expiresAt: secondsTime(row.expiresAt) }),
    ...(current && rule && { nextRotationAt: secondsTime(nextRotationAt(current, rule)) }),
    ...(apiKey.spec.secretRef && { secretName: apiKey.spec.secretRef.name }),
    ...(row.rotationHandled !== null && { lastHandledRotateAt: row.rotationHandled }),
  }
}

function keyStatus(row: ApiKeyRow, secret: ApiKeySecretRow) {
  const ends = earliest([secret.expiresAt, row.expiresAt])
  return {
    id: secret.id,
    ...(secret.lastFour !== null && { lastFour: secret.lastFour }),
    createdAt: secondsTime(secret.createdAt),
    ...(ends && { expiresAt: secondsTime(ends) }),
    state: secret.expiresAt === null ? ('Active' as const) : ('Retiring' as const),
  }
}

/** When the key must be looked at again, to the millisecond: an overlap's end, a rotation, the expiry. */
export function nextLook(
  apiKey: APIKey,
  row: ApiKeyRow,
  secrets: readonly ApiKeySecretRow[],
): Date | undefined {
  const rule = rotationRule(apiKey)
  const current = secrets.find((secret) => secret.expiresAt === null)
  return earliest([
    ...secrets.map((secret) => secret.expiresAt),
    rule && current ? nextRotationAt(current, rule) : null,
    row.expiresAt,
  ])
}

function earliest(times: readonly (Date | null)[]): Date | undefined {
  const known = times.filter((time) => time !== null).map((time) => time.getTime())
  return known.length > 0 ? new Date(Math.min(...known)) : undefined
}
