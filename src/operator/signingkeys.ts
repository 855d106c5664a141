import { isDeepStrictEqual } from 'node:util'
import type pg from 'pg'
import {
  lockedSigningKeys,
  type SigningKeyRow,
  signingKeyStatements,
  signingKeysOf,
} from '../db/signingkey.ts'
import { carryOut, type Fence, inInstallation, type Transaction } from '../db/transaction.ts'
import { planSigningKeys, type SigningKeyPolicy } from '../domain/signingkey.ts'
import {
  makeSigningKey,
  openSigningKey,
  publishedHalf,
  signingKeyContext,
} from '../encryption/signingkey.ts'
import { ConflictError } from '../k8s/errors.ts'
import { type Envelope, isEnvelope, open, seal } from '../kms/envelope.ts'
import { KeyManagementError } from '../kms/keymanagement.ts'
import type { Keyring } from '../kms/keyring.ts'
import { operatorActor } from './dependencies.ts'

export interface SigningKeysOptions {
  readonly pool: pg.Pool
  readonly keyring: Keyring
  readonly installation: string
  readonly fence: () => Fence
  readonly policy: SigningKeyPolicy
  readonly now: () => Date
}

/** What a look at the signing keys came to. */
export interface SigningKeysReport {
  readonly keys: readonly Pick<SigningKeyRow, 'id' | 'algorithm' | 'createdAt' | 'activeAt'>[]
  readonly made: number
  readonly removed: number
  readonly resealed: number
  /** Rows that are not ours: no envelope of this installation holds the private half of what they publish. */
  readonly bogus: readonly string[]
}

/**
 * Makes the signing keys of the installation be what the policy asks for, and sealed by the default KEK as it is now. Doing it
 * again changes nothing. What is to go goes first, and without the key manager.
 * @throws KeyManagementError, FencedError, ConflictError, or whatever PostgreSQL throws; what could be done is done
 */
export async function maintainSigningKeys(options: SigningKeysOptions): Promise<SigningKeysReport> {
  const { pool, keyring, installation, policy, now } = options
  const before = await signingKeysOf(pool, installation)
  const at = now()
  const compromised = planSigningKeys(before, policy, at).remove
  const examined = await examineKeys(
    keyring,
    before.filter(({ id }) => !compromised.includes(id)),
  )
  const { make, remove } = planSigningKeys(examined.kept, policy, at)
  const gone = [...compromised, ...examined.bogus, ...remove]
  const left = before.filter(({ id }) => !gone.includes(id))
  if (gone.length > 0) await write(options, before, [signingKeyStatements.deletion(gone)])

  const kek = await keyring.default.describe()
  const made: SigningKeyRow[] = []
  for (const { algorithm, activeAt } of make) {
    const key = await makeSigningKey(keyring.default, installation, algorithm)
    made.push({ ...key, installation, createdAt: at, activeAt })
  }
  const resealed: string[] = []
  let trouble = examined.trouble
  for (const key of left) {
    if (isSealedBy(key.privateKey as Envelope, kek)) continue
    try {
      resealed.push(signingKeyStatements.resealing(key.id, await sealAnew(keyring, key)))
    } catch (error) {
      trouble ??= error
    }
  }
  const inserted = made.length > 0 ? [signingKeyStatements.insertion(made)] : []
  const statements = [...inserted, ...resealed]
  if (statements.length > 0) await write(options, left, statements)
  if (trouble) throw trouble
  const counts = { made: made.length, removed: gone.length, resealed: resealed.length }
  return { keys: [...left, ...made], bogus: examined.bogus, ...counts }
}

/** Tells our keys from what somebody wrote into the table. One that cannot be judged now is kept. */
async function examineKeys(keyring: Keyring, keys: readonly SigningKeyRow[]) {
  const kept: SigningKeyRow[] = []
  const bogus: string[] = []
  let trouble: unknown
  for (const key of keys) {
    try {
      const isOurs = isEnvelope(key.privateKey) && (await isSound(keyring, key))
      if (isOurs) kept.push(key)
      else bogus.push(key.id)
    } catch (error) {
      if (error instanceof KeyManagementError && error.code === 'refused') {
        bogus.push(key.id)
      } else {
        kept.push(key)
        trouble ??= error
      }
    }
  }
  return { kept, bogus, trouble }
}

/** Whether the envelope holds the private half of exactly what is published. */
async function isSound(keyring: Keyring, key: SigningKeyRow): Promise<boolean> {
  const { id, publicJwk } = publishedHalf(
    await openSigningKey(keyring.of(null), key),
    key.algorithm,
  )
  return id === key.id && isDeepStrictEqual(publicJwk, key.publicJwk)
}

/** If the rows are other ones by now, nothing is written. */
async function write(
  { pool, fence, installation }: SigningKeysOptions,
  before: readonly SigningKeyRow[],
  statements: readonly string[],
): Promise<void> {
  const work = async (tx: Transaction, locked: readonly SigningKeyRow[]): Promise<void> => {
    if (!isDeepStrictEqual(locked, before)) {
      throw new ConflictError('the signing keys changed meanwhile')
    }
    await carryOut(tx, statements, [])
  }
  const leader = { actor: operatorActor, fence: fence() }
  await inInstallation(pool, leader, work, [lockedSigningKeys(installation)])
}

function isSealedBy({ kek }: Envelope, now: { keyId: string; version: string }): boolean {
  return kek.id === now.keyId && kek.version === now.version
}

async function sealAnew(keyring: Keyring, key: SigningKeyRow): Promise<Envelope> {
  const context = signingKeyContext(key.installation, key.id)
  const pkcs8 = await open(keyring.of(null), key.privateKey as Envelope, context)
  try {
    return await seal(keyring.default, pkcs8, context)
  } finally {
    pkcs8.fill(0)
  }
}
