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
import { makeSigningKey, signingKeyContext } from '../encryption/signingkey.ts'
import { ConflictError } from '../k8s/errors.ts'
import { type Envelope, open, seal } from '../kms/envelope.ts'
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
}

/**
 * Makes the signing keys of the installation be what the policy asks for, and sealed by the default KEK as it is now. Doing it
 * again changes nothing.
 * @throws KeyManagementError, FencedError, or whatever PostgreSQL throws; nothing is changed then
 */
export async function maintainSigningKeys(options: SigningKeysOptions): Promise<SigningKeysReport> {
  const { pool, keyring, installation, fence, policy, now } = options
  const before = await signingKeysOf(pool, installation)
  const at = now()
  const plan = planSigningKeys(before, policy, at)
  const kek = await keyring.default.describe()
  const kept = before.filter(({ id }) => !plan.remove.includes(id))
  // The key manager is asked before the transaction: its slowness must not hold up another leader.
  const made: SigningKeyRow[] = []
  for (const { algorithm, activeAt } of plan.make) {
    const key = await makeSigningKey(keyring.default, installation, algorithm)
    made.push({ ...key, installation, createdAt: at, activeAt })
  }
  const resealed: string[] = []
  for (const key of kept) {
    if (isSealedBy(key.privateKey as Envelope, kek)) continue
    resealed.push(signingKeyStatements.resealing(key.id, await sealAnew(keyring, key)))
  }
  const statements = [
    ...(plan.remove.length > 0 ? [signingKeyStatements.deletion(plan.remove)] : []),
    ...(made.length > 0 ? [signingKeyStatements.insertion(made)] : []),
    ...resealed,
  ]
  const write = async (tx: Transaction, locked: readonly SigningKeyRow[]): Promise<void> => {
    if (!isDeepStrictEqual(locked, before))
      throw new ConflictError('the signing keys changed meanwhile')
    await carryOut(tx, statements, [])
  }
  const tenant = { actor: operatorActor, fence: fence() }
  if (statements.length > 0) {
    await inInstallation(pool, tenant, write, [lockedSigningKeys(installation)])
  }
  const counts = { made: made.length, removed: plan.remove.length, resealed: resealed.length }
  return { keys: [...kept, ...made], ...counts }
}

function isSealedBy({ kek }: Envelope, now: { keyId: string; version: string }): boolean {
  return kek.id === now.keyId && kek.version === now.version
}

async function sealAnew(keyring: Keyring, key: SigningKeyRow): Promise<Envelope> {
  const context = signingKeyContext(key.installation, key.id)
  const pkcs8 = await open(keyring, key.privateKey as Envelope, context)
  try {
    return await seal(keyring.default, pkcs8, context)
  } finally {
    pkcs8.fill(0)
  }
}
