import { isDeepStrictEqual } from 'node:util'
import { secretStatements } from '../../db/apikey.ts'
import { auditing } from '../../db/audit.ts'
import { type DataKeyRow, dataKeyStatements } from '../../db/datakey.ts'
import {
  type KekVersion,
  lockedDataKeys,
  lockedSecrets,
  staleDataKeys,
  staleSecrets,
  type WrappedSecret,
} from '../../db/encryption.ts'
import { carryOut, inOrganization, type Transaction } from '../../db/transaction.ts'
import { dataKeyContext, rowOf, wrapForReader, wrappedOf } from '../../encryption/datakey.ts'
import { type Envelope, isEnvelope, wrappedKeyOf } from '../../kms/envelope.ts'
import {
  type Context,
  type KeyManagement,
  KeyManagementError,
  type WrappedKey,
} from '../../kms/keymanagement.ts'
import { apiKeyContext } from '../apikey/aad.ts'
import { recordEvent } from '../declare.ts'
import { type OperatorDependencies, operatorActor } from '../dependencies.ts'
import { inParallel } from './parallel.ts'

/** An organization, and the KEK that is to wrap everything of it. */
export interface Target {
  readonly organizationId: string
  readonly name: string
  /** Whose keys may have wrapped what it has. */
  readonly namespace: string | null
  readonly kek: KeyManagement
  readonly current: KekVersion
  /** Ends what is asked of the key managers. */
  readonly signal: AbortSignal
}

/** What a run learned of what it cannot open. */
export interface Hindrances {
  /** KEKs that cannot unwrap now, by what they are called: nobody asks them again in this run. */
  readonly keks: Map<string, { readonly kek: KekVersion; readonly error: KeyManagementError }>
  /** Envelopes and data keys that were altered, or were made for another place. */
  altered: number
}

export interface Batch {
  readonly rewrapped: readonly WrappedSecret[]
  /** The id to go on behind; undefined when there is no more. */
  readonly next: string | undefined
  /** Why it is of no use to go on now. What was wrapped before it is kept: a key manager that fails now and then must not undo a batch. */
  readonly failure: { readonly error: unknown } | undefined
}

type Dependencies = Pick<OperatorDependencies, 'pool' | 'keyring' | 'fence'>

type Anew = ReadonlyMap<string, { readonly former: Envelope; readonly wrapped: WrappedKey }>

/**
 * Has the next secrets of an organization that another KEK wrapped wrapped by its own: the same data key, and the same
 * ciphertext.
 */
export async function rewrapSecrets(
  deps: Dependencies,
  target: Target,
  hindrances: Hindrances,
  page: { readonly after: string | undefined; readonly limit: number; readonly parallel: number },
): Promise<Batch> {
  const { organizationId, current } = target
  const reader = { organizationId, actor: operatorActor }
  const except = [...hindrances.keks.values()].map(({ kek }) => kek)
  const stale = staleSecrets(current, { ...page, except })
  const rows = await inOrganization(deps.pool, reader, async (_tx, found) => found, [stale])
  const next = rows.length < page.limit ? undefined : rows.at(-1)?.id
  const anew = new Map<string, { former: Envelope; wrapped: WrappedKey }>()
  const failure = await inParallel(rows, page.parallel, async (row) => {
    const { envelope, namespace, apiKeyId } = row
    if (!isEnvelope(envelope) || namespace === null) return
    const context = apiKeyContext(namespace, envelope.aad['name'] ?? '', apiKeyId)
    const wrapped = await wrapAnew(deps, target, hindrances, () => wrappedKeyOf(envelope), context)
    if (wrapped) anew.set(row.id, { former: envelope, wrapped })
  })
  return { rewrapped: await writeSecrets(deps, target, anew), next, failure }
}

/** In one transaction with one audit event. A secret that somebody changed meanwhile is left. */
async function writeSecrets(
  deps: Dependencies,
  target: Target,
  anew: Anew,
): Promise<readonly WrappedSecret[]> {
  if (anew.size === 0) return []
  const { organizationId } = target
  const writer = { organizationId, actor: operatorActor, fence: deps.fence() }
  const write = async (tx: Transaction, locked: readonly WrappedSecret[]) => {
    const same = locked.flatMap((row) => {
      const found = anew.get(row.id)
      return found && isDeepStrictEqual(row.envelope, found.former) ? [{ row, ...found }] : []
    })
    if (same.length === 0) return []
    const updates = same.flatMap(({ row, former, wrapped }) =>
      secretStatements.update(row.id, { envelope: withKek(former, wrapped) }),
    )
    await carryOut(tx, [...updates, auditing(rewrappedEvent(target, same.length, 0))], [])
    return same.map(({ row }) => row)
  }
  return inOrganization(deps.pool, writer, write, [lockedSecrets([...anew.keys()])])
}

/**
 * Has the data keys of an organization wrapped by its own KEK.
 * @returns how many
 * @throws KeyManagementError when it is of no use to go on now
 */
export async function rewrapDataKeys(
  deps: Dependencies,
  target: Target,
  hindrances: Hindrances,
): Promise<number> {
  const { organizationId, current } = target
  const reader = { organizationId, actor: operatorActor }
  const read = async (_tx: unknown, found: readonly DataKeyRow[]) => found
  const rows = await inOrganization(deps.pool, reader, read, [staleDataKeys(current)])
  const anew = new Map<number, { former: DataKeyRow; wrapped: WrappedKey }>()
  for (const row of rows) {
    const context = dataKeyContext(organizationId, row.version)
    const wrapped = await wrapAnew(deps, target, hindrances, () => wrappedOf(row), context)
    if (wrapped) anew.set(row.version, { former: row, wrapped })
  }
  if (anew.size === 0) return 0
  const write = { ...reader, fence: deps.fence() }
  return inOrganization(
    deps.pool,
    write,
    async (tx, locked) => {
      const updates = locked.flatMap(({ version, wrapped }) => {
        const found = anew.get(version)
        return found?.former.wrapped.equals(wrapped)
          ? [dataKeyStatements.rewrapping(version, rowOf(found.wrapped))]
          : []
      })
      if (updates.length === 0) return 0
      await carryOut(tx, [...updates, auditing(rewrappedEvent(target, 0, updates.length))], [])
      return updates.length
    },
    [lockedDataKeys],
  )
}

/** The wrapping of the target's KEK; undefined when the former one cannot be opened, which is noted. */
async function wrapAnew(
  { keyring }: Dependencies,
  { kek, current, namespace, signal }: Target,
  hindrances: Hindrances,
  formerOf: () => WrappedKey,
  context: Context,
): Promise<WrappedKey | undefined> {
  const reader = keyring.of(namespace)
  const unwrap = (former: WrappedKey) => reader.unwrap(former, context, signal)
  const dataKey = await openFormer(unwrap, current, hindrances, formerOf)
  if (!dataKey) return undefined
  try {
    return await wrapForReader(kek, reader, dataKey, context, signal)
  } finally {
    dataKey.fill(0)
  }
}

async function openFormer(
  unwrap: (former: WrappedKey) => Promise<Buffer>,
  current: KekVersion,
  hindrances: Hindrances,
  formerOf: () => WrappedKey,
): Promise<Buffer | undefined> {
  let kek: KekVersion | undefined
  try {
    const former = formerOf()
    const { provider, keyId, version } = former
    kek = { provider, keyId, version }
    if (hindrances.keks.has(Object.values(kek).join(' '))) return undefined
    return await unwrap(former)
  } catch (error) {
    // What is no wrapping at all is altered too: one such row must not stop the others.
    if (!(error instanceof KeyManagementError) && !(error instanceof TypeError)) throw error
    if (error instanceof TypeError || error.code === 'refused' || !kek) hindrances.altered += 1
    // A former version of the very key that all are brought under: no other organization gets further.
    else if (error.passes && isSameKey(kek, current)) throw error
    else hindrances.keks.set(Object.values(kek).join(' '), { kek, error })
    return undefined
  }
}

function isSameKey(one: KekVersion, other: KekVersion): boolean {
  return one.provider === other.provider && one.keyId === other.keyId
}

function withKek(
  envelope: Envelope,
  { provider, keyId, version, ciphertext }: WrappedKey,
): Envelope {
  const kek = { provider, id: keyId, version }
  return { ...envelope, kek, wrappedKey: ciphertext.toString('base64') }
}

/** One event a batch: ten thousand of one a secret would bury the trail, and each secret's own key says what it is. */
function rewrappedEvent(
  { organizationId, name, current }: Target,
  secrets: number,
  dataKeys: number,
) {
  const record = { organizationId, id: organizationId, name }
  return recordEvent('organization', 'rewrapped', record, { kek: current, secrets, dataKeys })
}
