import { timingSafeEqual } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { APIKey } from '../../api/v1alpha1/apikey.ts'
import type { ApiKeySecretRow } from '../../db/apikey.ts'
import { digestApiKey } from '../../domain/apikey.ts'
import { type SecretObject, secretText } from '../../k8s/secret.ts'
import { formatEnvelope, isEnvelope, parseEnvelope } from '../../kms/envelope.ts'
import type { OperatorDependencies } from '../dependencies.ts'
import { apiKeyContext } from './aad.ts'
import { digestLabel, openKey } from './material.ts'
import { readerFor } from './reader.ts'

const envelopeType = 'cardea.dev/envelope'
export const envelopeEntry = 'envelope'
const plainEntry = 'key'
const kekVersionLabel = 'cardea.dev/kek-version'

/** Puts the current secret where the spec wants it; a Secret that somebody changed is put right. */
export async function deliver(
  deps: OperatorDependencies,
  apiKey: APIKey,
  keyId: string,
  current: ApiKeySecretRow,
  signal: AbortSignal,
) {
  const secretRef = apiKey.spec.secretRef as NonNullable<APIKey['spec']['secretRef']>
  if (!isEnvelope(current.envelope)) throw new Error(`secret ${current.id} has no envelope`)
  const plain = secretRef.format === 'Plain'
  const data = plain
    ? { [plainEntry]: await plainKey(deps, apiKey, keyId, current, signal) }
    : { [envelopeEntry]: formatEnvelope(current.envelope) }
  return deps.secrets.deliver(
    apiKey,
    {
      name: secretRef.name,
      type: plain ? 'Opaque' : envelopeType,
      labels: {
        'cardea.dev/digest': digestLabel(current.digest),
        [kekVersionLabel]: labelValue(current.envelope.kek.version),
      },
      data,
    },
    signal,
  )
}

/**
 * Whether a Secret differs from its row only in the KEK that wrapped it: the row was wrapped anew, and nobody edited anything.
 * @param secret as it was before it was put right
 */
export function isRewrapped(
  apiKey: APIKey,
  secret: SecretObject | undefined,
  { envelope }: ApiKeySecretRow,
): boolean {
  if (!secret || !isEnvelope(envelope)) return false
  const former = secret.metadata.labels?.[kekVersionLabel]
  if (apiKey.spec.secretRef?.format === 'Plain') return former !== labelValue(envelope.kek.version)
  const held = parseEnvelope(secretText(secret, envelopeEntry) ?? '')
  if (!held || isDeepStrictEqual(held.kek, envelope.kek)) return false
  const { kek, wrappedKey } = envelope
  return isDeepStrictEqual({ ...held, kek, wrappedKey }, envelope)
}

/** The key itself: from the Secret while that has it, so that a pass over plain Secrets asks the KMS nothing. */
async function plainKey(
  deps: OperatorDependencies,
  apiKey: APIKey,
  keyId: string,
  current: ApiKeySecretRow,
  signal: AbortSignal,
): Promise<string> {
  const { namespace } = apiKey.metadata
  const name = apiKey.spec.secretRef?.name ?? ''
  const secret = await deps.secrets.read(namespace, name, signal)
  const there = secret && secretText(secret, plainEntry)
  if (there !== undefined && timingSafeEqual(digestApiKey(there), current.digest)) return there
  const key = await openKey(
    readerFor(deps, apiKey, 'to deliver a plain Secret'),
    current.envelope,
    apiKeyContext(namespace, name, keyId),
  )
  if (key === undefined) throw new Error(`the envelope of secret ${current.id} does not open`)
  return key
}

/** A label holds 63 characters of a small set; a version that does not fit is cut to what fits. */
function labelValue(text: string): string {
  return text
    .replaceAll(/[^A-Za-z0-9._-]/g, '-')
    .slice(-63)
    .replaceAll(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '')
}
