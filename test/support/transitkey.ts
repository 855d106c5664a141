import { randomBytes } from 'node:crypto'
import {
  type KeyManagement,
  type KeyManagementCode,
  KeyManagementError,
  type WrappedKey,
} from '../../src/kms/keymanagement.ts'
import { localKeyManagement } from '../../src/kms/local.ts'

/** A key as a transit engine has them, in this process, with everything that a test does to a key. */
export interface TransitKey extends KeyManagement {
  /** What every operation fails with, if anything. */
  trouble: KeyManagementCode | undefined
  /** Calls so far. */
  readonly wraps: number
  readonly unwraps: number
  /** Operations that failed because of the trouble. */
  readonly refusals: number
  /** Lets the trouble begin once there were so many wraps. */
  troubleAfter(wraps: number, trouble: KeyManagementCode): void
  /** Makes a new version. */
  rotate(): void
}

/** @param name below `transit` */
export function transitKey(name: string): TransitKey {
  const lines = [randomBytes(32).toString('base64')]
  const local = localKeyManagement(() => lines.join('\n'))
  const keyId = `transit/${name}`
  const counts = { wraps: 0, unwraps: 0, refusals: 0 }
  let coming: { wraps: number; trouble: KeyManagementCode } | undefined
  const check = (): void => {
    if (coming && counts.wraps >= coming.wraps) {
      key.trouble = coming.trouble
      coming = undefined
    }
    if (!key.trouble) return
    counts.refusals += 1
    throw new KeyManagementError(key.trouble, `the key ${keyId} is in trouble`)
  }
  const key: TransitKey = {
    provider: 'vault',
    trouble: undefined,
    get wraps() {
      return counts.wraps
    },
    get unwraps() {
      return counts.unwraps
    },
    get refusals() {
      return counts.refusals
    },
    troubleAfter(wraps, trouble) {
      coming = { wraps, trouble }
    },
    rotate: () => void lines.push(randomBytes(32).toString('base64')),
    async wrap(dataKey, context) {
      check()
      counts.wraps += 1
      return { ...(await local.wrap(dataKey, context)), provider: 'vault', keyId }
    },
    async unwrap(wrapped, context) {
      check()
      counts.unwraps += 1
      const { keyId: localId } = await local.describe()
      const former: WrappedKey = { ...wrapped, provider: 'local', keyId: localId }
      return local.unwrap(former, context)
    },
    async describe() {
      check()
      return { keyId, version: (await local.describe()).version }
    },
  }
  return key
}
