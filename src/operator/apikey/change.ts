import type { APIKey } from '../../api/v1alpha1/apikey.ts'
import type { ApiKeySecretRow } from '../../db/apikey.ts'
import { newId } from '../../db/identity.ts'
import { apiKeyEntropy, digestApiKey, lastFour, mintApiKey } from '../../domain/apikey.ts'
import type { ReconcileEvent } from '../../k8s/reconciler.ts'
import { type Envelope, seal } from '../../kms/envelope.ts'
import { type Context, type KeyManagement, KeyManagementError } from '../../kms/keymanagement.ts'
import type { OperatorDependencies } from '../dependencies.ts'
import { apiKeyContext } from './aad.ts'
import { openKey, sealedFor } from './material.ts'
import { readerFor } from './reader.ts'

/** What is to become of the secrets. Nothing of it is written yet. */
export interface SecretChanges {
  readonly insert: readonly Omit<ApiKeySecretRow, 'organizationId' | 'apiKeyId' | 'revokedAt'>[]
  readonly update: readonly { readonly id: string; readonly values: Partial<ApiKeySecretRow> }[]
  readonly remove: readonly string[]
  /** Audit verbs for what happens. */
  readonly verbs: readonly string[]
  readonly events: readonly ReconcileEvent[]
  /** What is put right of what somebody did by hand, a sentence each. */
  readonly repairs: readonly string[]
  /** What the current key begins with, where it was made or opened. */
  readonly prefix: string | undefined
}

export const noChanges: SecretChanges = {
  insert: [],
  update: [],
  remove: [],
  verbs: [],
  events: [],
  repairs: [],
  prefix: undefined,
}

/** What the plan of a pass is made for. */
export interface Moment {
  readonly id: string
  readonly now: Date
  readonly requested: boolean
  readonly expired: boolean
  /** Whether somebody changed the record by hand: nothing in it is taken on trust. */
  readonly suspicious: boolean
  /** What was made earlier counts as compromised. */
  readonly compromisedBefore: Date | undefined
}

/** The key is made, digested and sealed here, and nowhere kept in the clear. */
export async function mint(
  deps: OperatorDependencies,
  apiKey: APIKey,
  kek: KeyManagement,
  prefix: string,
  { id, now }: Moment,
) {
  const key = mintApiKey(prefix, deps.randomBytes(apiKeyEntropy))
  const name = apiKey.spec.secretRef?.name ?? ''
  const envelope = await sealForReader(
    deps,
    apiKey,
    kek,
    key,
    apiKeyContext(apiKey.metadata.namespace, name, id),
  )
  return {
    id: newId(),
    digest: digestApiKey(key),
    source: 'minted' as const,
    lastFour: lastFour(key),
    envelope,
    createdAt: now,
    expiresAt: null,
  }
}

/** An envelope is bound to its Secret's name: when the spec gives another, the current key is sealed anew for it. */
export async function reseal(
  deps: OperatorDependencies,
  apiKey: APIKey,
  kek: () => KeyManagement,
  keyId: string,
  secrets: readonly ApiKeySecretRow[],
  current: string,
): Promise<{ id: string; values: { envelope: Envelope } }[]> {
  const row = secrets.find((secret) => secret.id === current)
  const name = apiKey.spec.secretRef?.name ?? ''
  const former = row && sealedFor(row)
  if (!row || former === undefined || former === name) return []
  const { namespace } = apiKey.metadata
  const key = await openKey(
    readerFor(deps, apiKey, 'to seal it for another Secret'),
    row.envelope,
    apiKeyContext(namespace, former, keyId),
  )
  if (key === undefined) throw new Error(`the envelope of secret ${row.id} does not open`)
  const context = apiKeyContext(namespace, name, keyId)
  const envelope = await sealForReader(deps, apiKey, kek(), key, context)
  return [{ id: current, values: { envelope } }]
}

/** Seals a key, and opens it again the way that its readers will: what they cannot open is worth nothing. */
async function sealForReader(
  deps: OperatorDependencies,
  apiKey: APIKey,
  kek: KeyManagement,
  key: string,
  context: Context,
): Promise<Envelope> {
  const envelope = await seal(kek, Buffer.from(key), context)
  const reader = readerFor(deps, apiKey, 'to see that what was sealed opens')
  if ((await openKey(reader, envelope, context)) === key) return envelope
  throw new KeyManagementError('refused', 'the key manager gave back another data key')
}

/** The one secret of an imported key is the digest that the spec gives; every other ends at once. */
export function importChanges(
  sha256: string,
  secrets: readonly ApiKeySecretRow[],
  { now }: Moment,
): SecretChanges {
  const digest = Buffer.from(sha256, 'hex')
  const kept = secrets.find(
    (secret) =>
      secret.digest.equals(digest) && secret.revokedAt === null && secret.expiresAt === null,
  )
  const remove = secrets.filter((secret) => secret !== kept).map((secret) => secret.id)
  const imported = {
    id: newId(),
    digest,
    source: 'imported' as const,
    lastFour: null,
    envelope: null,
    createdAt: now,
    expiresAt: null,
  }
  const insert = kept ? [] : [imported]
  return {
    ...noChanges,
    insert,
    remove,
    verbs: insert.length > 0 ? ['imported'] : remove.length > 0 ? ['secret_ended'] : [],
  }
}
