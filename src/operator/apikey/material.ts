import { timingSafeEqual } from 'node:crypto'
import type { ApiKeySecretRow } from '../../db/apikey.ts'
import { digestApiKey, lastFour, prefixOf } from '../../domain/apikey.ts'
import { isEnvelope, open } from '../../kms/envelope.ts'
import { type Context, type KeyManagement, KeyManagementError } from '../../kms/keymanagement.ts'

type Unwrapper = Pick<KeyManagement, 'unwrap'>

/** The label that shows the first 160 bits of the digest, by which a changed row is told without the KMS. */
export function digestLabel(digest: Buffer): string {
  return digest.toString('hex').slice(0, 40)
}

/**
 * Opens an envelope that should hold an API key.
 * @returns the key, or undefined when the envelope is missing, altered or belongs elsewhere
 * @throws KeyManagementError when the KMS did not answer
 */
export async function openKey(
  kms: Unwrapper,
  envelope: unknown,
  context: Context,
): Promise<string | undefined> {
  if (!isEnvelope(envelope)) return undefined
  try {
    return (await open(kms, envelope, context)).toString()
  } catch (error) {
    if (error instanceof KeyManagementError && error.code === 'refused') return undefined
    throw error
  }
}

/** The Secret's name that a stored envelope was made for. */
export function sealedFor(row: Pick<ApiKeySecretRow, 'envelope'>): string | undefined {
  return isEnvelope(row.envelope) ? row.envelope.aad['name'] : undefined
}

/** What is known of a row without opening it. */
export interface Judgement {
  /** It is taken as it is. */
  readonly trusted: (row: ApiKeySecretRow) => boolean
  /**
   * It may go when the KMS has never heard of the key that sealed it. Never said of a secret that the status lists: a key
   * file that is mounted wrongly must not revoke everybody.
   */
  readonly expendable: (row: ApiKeySecretRow) => boolean
}

export interface Examination {
  readonly sound: readonly ApiKeySecretRow[]
  /** Rows that no key of ours belongs to: somebody wrote them, or changed their digest. */
  readonly bogus: readonly ApiKeySecretRow[]
  /** What the current key begins with, if it was opened. */
  readonly prefix: string | undefined
}

/**
 * Tells the secrets that Cardea minted from what somebody wrote into the table: an envelope opens only for the key that
 * it was made for, and its content gives the digest. Secrets that the status lists are taken as they are, unless there
 * is a sign of a hand at work, so that a pass over many keys asks the KMS nothing.
 */
export async function examineSecrets(
  kms: Unwrapper,
  rows: readonly ApiKeySecretRow[],
  contextFor: (secretName: string) => Context,
  { trusted, expendable }: Judgement,
): Promise<Examination> {
  const sound: ApiKeySecretRow[] = []
  const bogus: ApiKeySecretRow[] = []
  let prefix: string | undefined
  for (const row of rows) {
    const live = row.source === 'minted' && row.revokedAt === null
    const key =
      live && !trusted(row) ? await keyOf(kms, row, contextFor, expendable(row)) : undefined
    if (key !== undefined && row.expiresAt === null) prefix = prefixOf(key)
    ;(live && (key !== undefined || trusted(row)) ? sound : bogus).push(row)
  }
  return { sound, bogus, prefix }
}

/** The key that a row is of; undefined when its envelope, its digest or its last four characters are another's. */
async function keyOf(
  kms: Unwrapper,
  row: ApiKeySecretRow,
  contextFor: (secretName: string) => Context,
  expendable: boolean,
): Promise<string | undefined> {
  const name = sealedFor(row)
  if (name === undefined) return undefined
  const key = await openKey(kms, row.envelope, contextFor(name)).catch((error: unknown) => {
    const unknown = error instanceof KeyManagementError && error.code === 'not_found'
    if (unknown && expendable) return undefined
    throw error
  })
  if (key === undefined || !timingSafeEqual(digestApiKey(key), row.digest)) return undefined
  return lastFour(key) === row.lastFour ? key : undefined
}
