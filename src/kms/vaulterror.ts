import { type KeyManagementCode, KeyManagementError } from './keymanagement.ts'
import type { VaultAnswer } from './vaulthttp.ts'

/** What Vault's and OpenBao's sentences mean: a 400 has no other name. */
const sentences: readonly (readonly [RegExp, KeyManagementCode])[] = [
  [/soft-deleted/, 'pending_deletion'],
  [/disallowed by policy/, 'disabled'],
  [/key not found/, 'not_found'],
  [/authentication failed|invalid ciphertext|illegal base64/, 'refused'],
]

const remedies: Readonly<Record<KeyManagementCode, string>> = {
  denied:
    'may not be used: the policy of this program\'s login must have "update" on its encrypt and decrypt paths, and "read" on its key path',
  disabled:
    'has a min_decryption_version that shuts out the version that wrapped this: its administrator lowers it until everything is wrapped anew',
  not_found: 'is not there: check its mount and its name, or create it',
  pending_deletion: 'is soft-deleted: its administrator restores it',
  refused: 'did not wrap this data key for this place, or the ciphertext was altered',
  throttled: 'is asked too often: raise its rate limit quota if this goes on',
  unreachable: 'cannot be used just now: the server is sealed, a standby, or did not answer',
}

/** What an answer other than 200 means for the key. @param key its mount and name */
export function vaultError(answer: VaultAnswer, key: string): KeyManagementError {
  return failure(codeOf(answer), key)
}

/** @param key its mount and name */
export function failure(code: KeyManagementCode, key: string): KeyManagementError {
  return new KeyManagementError(code, `the Vault key ${key} ${remedies[code]}`)
}

/** @param what it is instead, for people */
export function unfit(key: string, what: string): KeyManagementError {
  const message = `the Vault key ${key} is ${what}, and so cannot bind a data key to its place: Cardea needs the type aes256-gcm96, chacha20-poly1305 or xchacha20-poly1305, not derived`
  return new KeyManagementError('refused', message)
}

function codeOf({ status, body }: VaultAnswer): KeyManagementCode {
  switch (status) {
    case 400: {
      const said = JSON.stringify(body['errors'] ?? '')
      return sentences.find(([sentence]) => sentence.test(said))?.[1] ?? 'refused'
    }
    case 403:
      return 'denied'
    case 404:
    case 405:
      return 'not_found'
    case 429:
      return 'throttled'
    default:
      return 'unreachable'
  }
}
