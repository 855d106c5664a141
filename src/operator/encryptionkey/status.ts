import { isDeepStrictEqual } from 'node:util'
import type { EncryptionKey, EncryptionKeyStatus } from '../../api/v1alpha1/encryptionkey.ts'
import type { KekVersion, WrappedCount } from '../../db/encryption.ts'
import { secondsTime } from '../../k8s/status.ts'
import type { KeyReference } from '../../kms/reference.ts'
import { isChosen } from './reference.ts'

/** Versions that the status lists. */
const mostVersions = 32

type OwnStatus = Omit<
  EncryptionKeyStatus,
  'id' | 'observedGeneration' | 'conditions' | 'lastHandledReconcileAt'
>

export interface Usage {
  /** What this very key wraps, by version. */
  readonly envelopes: readonly { readonly version: string; readonly count: number }[]
  /** What the organizations that chose it have, whatever wraps it. */
  readonly total: number
  /** What of that its current version does not wrap. */
  readonly stale: number
}

/** What is wrapped by a key, and for whom it should be. @param counts of one namespace */
export function usageOf(
  reference: KeyReference,
  current: KekVersion,
  counts: readonly WrappedCount[],
): Usage {
  const versions = new Map<string, number>()
  let [total, stale] = [0, 0]
  for (const { kek, wrapped, encryptionKey } of counts) {
    if (!kek) continue
    if (kek.provider === current.provider && kek.keyId === current.keyId) {
      versions.set(kek.version, (versions.get(kek.version) ?? 0) + wrapped)
    }
    if (!isChosen(reference, encryptionKey)) continue
    total += wrapped
    if (!isSameKek(kek, current)) stale += wrapped
  }
  const most = [...versions].toSorted(([, a], [, b]) => b - a).slice(0, mostVersions)
  const envelopes = most
    .map(([version, count]) => ({ version, count }))
    .toSorted((a, b) => a.version.localeCompare(b.version, 'en', { numeric: true }))
  return { envelopes, total, stale }
}

export function isSameKek(one: KekVersion, other: KekVersion): boolean {
  return (
    one.provider === other.provider && one.keyId === other.keyId && one.version === other.version
  )
}

/**
 * What people are shown. The time of the probe is the former one's unless something else is new: a key that is well must not
 * cost a write every few minutes.
 */
export function encryptionKeyStatus(
  { status: former, metadata }: Pick<EncryptionKey, 'status' | 'metadata'>,
  found: {
    readonly current: KekVersion
    readonly usage: Usage
    readonly compromised: number | undefined
    readonly rotationAnswered: string | undefined
  },
  now: Date,
): OwnStatus {
  const { current, usage, compromised, rotationAnswered } = found
  const status = {
    ...current,
    envelopes: [...usage.envelopes],
    total: usage.total,
    stale: usage.stale,
    ...(compromised !== undefined && { compromised }),
    ...(rotationAnswered !== undefined && { lastHandledRotateDataKeyAt: rotationAnswered }),
  } as OwnStatus
  const wasReady = former?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True')
  const same =
    wasReady === true &&
    former?.observedGeneration === metadata.generation &&
    Object.entries(status).every(([name, value]) =>
      isDeepStrictEqual(former?.[name as keyof OwnStatus], value),
    )
  const probed = same ? former?.lastProbeTime : undefined
  return { ...status, lastProbeTime: probed ?? secondsTime(now) }
}
