import type { APIKey, APIKeyStatus } from '../../api/v1alpha1/apikey.ts'
import { rotateRequestedAt } from '../../api/v1alpha1/group.ts'
import { type ApiKeySecretRow, isRevokedDigest } from '../../db/apikey.ts'
import { reclaimId } from '../../db/identity.ts'
import { digestApiKey, lastFour } from '../../domain/apikey.ts'
import { type Outcome, stalled } from '../../k8s/reconciler.ts'
import { secretText } from '../../k8s/secret.ts'
import { isEnvelope, parseEnvelope } from '../../kms/envelope.ts'
import { isApplied } from '../applied.ts'
import type { OperatorDependencies } from '../dependencies.ts'
import { apiKeyContext } from './aad.ts'
import { type Moment, noChanges, type SecretChanges } from './change.ts'
import { envelopeEntry } from './delivery.ts'
import type { Seen } from './look.ts'
import { digestLabel, examineSecrets, type Judgement, openKey } from './material.ts'
import { readerFor } from './reader.ts'

export interface Recovered {
  /** The secrets that Cardea minted, as they are or as they will be after the changes. */
  readonly secrets: readonly ApiKeySecretRow[]
  readonly changes: SecretChanges
}

type KeyStatus = NonNullable<APIKeyStatus['keys']>[number]

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
  // Of an earlier spec, which imported a digest, or of the API, which keeps no envelope: they end with that.
  const former = isApplied(apiKey) ? [] : seen.secrets.filter((row) => !isEnvelope(row.envelope))
  const rest = seen.secrets.filter((row) => !former.includes(row))
  const { sound, bogus, prefix } = await examineSecrets(
    readerFor(deps, apiKey, 'to judge a record'),
    rest,
    contextFor,
    trust(apiKey, seen, moment),
  )
  const changes: SecretChanges = {
    ...noChanges,
    remove: [...former, ...bogus].map(({ id }) => id),
    verbs: [
      ...(former.length > 0 ? ['secret_ended'] : []),
      ...(bogus.length > 0 ? ['drift_repaired'] : []),
    ],
    repairs: bogus.length > 0 ? [`${bogus.length} secret(s) in the database were ${altered}.`] : [],
    prefix,
  }
  const active = shownActive(apiKey)
  if (!active || sound.some((row) => row.expiresAt === null)) return { secrets: sound, changes }
  const ended = sound.find((row) => row.id === active.id)
  if (ended) return unended(sound, ended, changes)
  const row = await fromSecret(deps, apiKey, seen, moment, active)
  if (row) return restored(sound, bogus, row, changes)
  if (moment.requested) return { secrets: sound, changes }
  return stalled(
    'SecretNotFound',
    `The key ${active.id} is neither in the database nor in its Secret and works no more: put the Secret back from a backup, or annotate the APIKey with ${rotateRequestedAt} to have a new key minted.`,
  )
}

const altered = 'not minted by Cardea, or altered, and were removed'

/** Rows that the status lists are taken as they are, unless there is a sign of a hand at work. */
function trust(apiKey: APIKey, seen: Seen, moment: Moment): Judgement {
  const listed = new Map(apiKey.status?.keys?.map((key) => [key.id, key]))
  const shown = seen.secret?.metadata.labels?.['cardea.dev/digest']
  return {
    trusted: (row) => {
      if (moment.suspicious || listed.get(row.id)?.lastFour !== (row.lastFour ?? undefined))
        return false
      return row.expiresAt !== null || shown === digestLabel(row.digest)
    },
    // Without a status, as after a restore, nobody can tell which rows were ours.
    expendable: (row) => listed.size > 0 && !listed.has(row.id),
  }
}

/** The minted key that was current after the last pass. An imported one has no last four characters. */
function shownActive(apiKey: APIKey): KeyStatus | undefined {
  return apiKey.status?.keys?.find((key) => key.state === 'Active' && key.lastFour !== undefined)
}

/** Only a successor ends a current secret, and there is none: somebody set its end by hand. */
function unended(
  sound: readonly ApiKeySecretRow[],
  ended: ApiKeySecretRow,
  changes: SecretChanges,
): Recovered {
  const current = { ...ended, expiresAt: null }
  return {
    secrets: sound.map((row) => (row === ended ? current : row)),
    changes: {
      ...changes,
      update: [{ id: ended.id, values: { expiresAt: null } }],
      verbs: ['drift_repaired'],
      repairs: ['The current secret was given an end in the database, which was taken back.'],
    },
  }
}

/** A row that has the digest still is mended where it is: to remove it would be to revoke the key. */
function restored(
  sound: readonly ApiKeySecretRow[],
  bogus: readonly ApiKeySecretRow[],
  row: ApiKeySecretRow,
  changes: SecretChanges,
): Recovered {
  const { organizationId: _organization, apiKeyId: _key, ...secret } = row
  const damaged = bogus.find(({ digest }) => digest.equals(row.digest))
  const { id: _id, createdAt: _created, ...values } = secret
  return {
    secrets: [...sound, damaged ? { ...row, id: damaged.id, createdAt: damaged.createdAt } : row],
    changes: {
      ...changes,
      ...(damaged
        ? {
            remove: changes.remove.filter((id) => id !== damaged.id),
            update: [{ id: damaged.id, values }],
          }
        : { insert: [secret] }),
      verbs: ['drift_repaired'],
      repairs: ['The digest in the database was lost or altered and was taken from the Secret.'],
    },
  }
}

/** The current secret as its Secret has it; undefined when it is not there or does not open for this key. */
async function fromSecret(
  deps: OperatorDependencies,
  apiKey: APIKey,
  seen: Seen,
  moment: Moment,
  active: KeyStatus,
): Promise<ApiKeySecretRow | undefined> {
  const text = seen.secret && secretText(seen.secret, envelopeEntry)
  const envelope = text === undefined ? undefined : parseEnvelope(text)
  const name = apiKey.spec.secretRef?.name ?? ''
  const context = apiKeyContext(apiKey.metadata.namespace, name, moment.id)
  const reader = readerFor(deps, apiKey, 'to recover a record from the Secret')
  const key = await openKey(reader, envelope, context)
  // The envelope of a former secret opens too, and a revoked key must not come back: the status tells which one it is.
  if (key === undefined || active.lastFour !== lastFour(key)) return undefined
  const digest = digestApiKey(key)
  // A status comes back with a backup, or by whoever may write one. What was revoked stays revoked.
  if (await isRevokedDigest(deps.pool, digest)) return undefined
  return {
    organizationId: seen.organization.id,
    apiKeyId: moment.id,
    // The altered row has the id until it is removed, in the same transaction.
    id: seen.secrets.some((row) => row.id === active.id)
      ? active.id
      : await reclaimId(deps.pool, active.id),
    digest,
    source: 'minted',
    lastFour: lastFour(key),
    envelope,
    createdAt: new Date(active.createdAt),
    expiresAt: null,
    revokedAt: null,
  }
}
