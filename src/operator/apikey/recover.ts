import type { APIKey, APIKeyStatus } from '../../api/v1alpha1/apikey.ts'
import { rotateRequestedAt } from '../../api/v1alpha1/group.ts'
import type { ApiKeySecretRow } from '../../db/apikey.ts'
import { digestApiKey, lastFour } from '../../domain/apikey.ts'
import { type Outcome, stalled } from '../../k8s/reconciler.ts'
import { secretText } from '../../k8s/secret.ts'
import { parseEnvelope } from '../../kms/envelope.ts'
import type { OperatorDependencies } from '../dependencies.ts'
import { repairEvent } from '../drift.ts'
import { apiKeyContext } from './aad.ts'
import { type Moment, noChanges, type SecretChanges } from './change.ts'
import { envelopeEntry } from './delivery.ts'
import type { Seen } from './look.ts'
import { digestLabel, examineSecrets, openKey } from './material.ts'

export interface Recovered {
  /** The secrets that Cardea minted, as they are or as they will be after the changes. */
  readonly secrets: readonly ApiKeySecretRow[]
  readonly changes: SecretChanges
}

/**
 * Tells the minted secrets from what somebody wrote into the table, and takes a current secret that was lost or altered
 * there from the Secret, which holds it sealed. A key that was delivered and is in neither place is not minted anew: its
 * users would fail without a word.
 */
export async function recoverSecrets(
  deps: OperatorDependencies,
  apiKey: APIKey,
  seen: Seen,
  moment: Moment,
): Promise<Recovered | Outcome<APIKeyStatus>> {
  const contextFor = (name: string) => apiKeyContext(apiKey.metadata.namespace, name, moment.id)
  const listed = new Set(apiKey.status?.keys?.map((key) => key.id))
  const shown = seen.secret?.metadata.labels?.['cardea.dev/digest']
  const { sound, bogus } = await examineSecrets(deps.kms, seen.secrets, contextFor, (row) => {
    if (moment.suspicious || !listed.has(row.id)) return false
    return row.expiresAt !== null || shown === undefined || shown === digestLabel(row.digest)
  })
  const removal = bogus.length === 0 ? noChanges : removeBogus(deps, bogus)
  const active = apiKey.status?.keys?.find((key) => key.state === 'Active')
  if (!active || sound.some((row) => row.expiresAt === null))
    return { secrets: sound, changes: removal }
  const row = await fromSecret(deps, apiKey, seen, moment, active)
  if (row) return restored(deps, sound, row, bogus)
  if (moment.requested) return { secrets: sound, changes: removal }
  return stalled(
    'SecretNotFound',
    `The key ${active.id} is neither in the database nor in its Secret and works no more: put the Secret back from a backup, or annotate the APIKey with ${rotateRequestedAt} to have a new key minted.`,
  )
}

function removeBogus(deps: OperatorDependencies, bogus: readonly ApiKeySecretRow[]): SecretChanges {
  const note = `${bogus.length} secret(s) in the database were not minted by Cardea and were removed.`
  return {
    ...noChanges,
    remove: bogus.map((row) => row.id),
    verbs: ['drift_repaired'],
    events: [repairEvent(deps, 'APIKey', 'row', note)],
  }
}

function restored(
  deps: OperatorDependencies,
  sound: readonly ApiKeySecretRow[],
  row: ApiKeySecretRow,
  bogus: readonly ApiKeySecretRow[],
): Recovered {
  const { organizationId: _organization, apiKeyId: _key, revokedAt: _revoked, ...secret } = row
  const note = 'The digest in the database was lost or altered and was taken from the Secret again.'
  return {
    secrets: [...sound, row],
    changes: {
      insert: [secret],
      update: [],
      remove: bogus.map(({ id }) => id),
      verbs: ['drift_repaired'],
      events: [repairEvent(deps, 'APIKey', 'row', note)],
    },
  }
}

/** The current secret as its Secret has it; undefined when it is not there or does not open for this key. */
async function fromSecret(
  deps: OperatorDependencies,
  apiKey: APIKey,
  seen: Seen,
  moment: { readonly id: string; readonly now: Date },
  active: {
    readonly id: string
    readonly createdAt: string
    readonly lastFour?: string | undefined
  },
): Promise<ApiKeySecretRow | undefined> {
  const text = seen.secret && secretText(seen.secret, envelopeEntry)
  const envelope = text === undefined ? undefined : parseEnvelope(text)
  const name = apiKey.spec.secretRef?.name ?? ''
  const key = await openKey(
    deps.kms,
    envelope,
    apiKeyContext(apiKey.metadata.namespace, name, moment.id),
  )
  if (key === undefined) return undefined
  const digest = digestApiKey(key)
  // The envelope of a former secret opens too, and a revoked key must not come back: the status tells which one it is.
  if (active.lastFour !== lastFour(key)) return undefined
  return {
    organizationId: seen.organization.id,
    apiKeyId: moment.id,
    id: active.id,
    digest,
    source: 'minted',
    lastFour: lastFour(key),
    envelope,
    createdAt: new Date(active.createdAt),
    expiresAt: null,
    revokedAt: null,
  }
}
