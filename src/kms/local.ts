import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import {
  type Context,
  contextBytes,
  type KeyManagement,
  KeyManagementError,
  type WrappedKey,
} from './keymanagement.ts'

const ivLength = 12
const tagLength = 16

/**
 * A KEK in a file, for development and tests: whoever reads the file reads every secret.
 * @param read gives the file's text at each use, so that a new version takes effect at once: a line a version, base64 of 32
 *   bytes, the newest last; `state: disabled` or `state: pending-deletion` for rehearsals; lines that start with # are comments
 */
export function localKeyManagement(read: () => string): KeyManagement {
  return {
    provider: 'local',
    async wrap(dataKey, context) {
      const { keys, keyId } = usable(read)
      const iv = randomBytes(ivLength)
      const cipher = createCipheriv('aes-256-gcm', keys.at(-1) as Buffer, iv)
      cipher.setAAD(contextBytes(context))
      const ciphertext = Buffer.concat([
        iv,
        cipher.update(dataKey),
        cipher.final(),
        cipher.getAuthTag(),
      ])
      return { provider: 'local', keyId, version: String(keys.length), ciphertext }
    },
    async unwrap(wrapped, context) {
      const { keys, keyId } = usable(read)
      return open(keys, keyId, wrapped, context)
    },
    async describe() {
      const { keys, keyId } = usable(read)
      return { keyId, version: String(keys.length) }
    },
  }
}

interface KeyFile {
  readonly keys: readonly Buffer[]
  readonly keyId: string
  readonly state: string | undefined
}

/** @throws KeyManagementError when the key may not be used, or the file is not one */
function usable(read: () => string): KeyFile {
  const file = readKeyFile(read())
  if (file.state === 'disabled') {
    throw new KeyManagementError(
      'disabled',
      'the key file says "state: disabled": remove that line',
    )
  }
  if (file.state === 'pending-deletion') {
    const message = 'the key file says "state: pending-deletion": remove that line'
    throw new KeyManagementError('pending_deletion', message)
  }
  return file
}

function open(
  keys: readonly Buffer[],
  keyId: string,
  wrapped: WrappedKey,
  context: Context,
): Buffer {
  if (wrapped.provider !== 'local' || wrapped.keyId !== keyId) {
    throw new KeyManagementError(
      'not_found',
      `the data key was wrapped by ${wrapped.provider} key ${wrapped.keyId}, the key file holds ${keyId}: mount the file that wrapped it`,
    )
  }
  const key = /^[1-9][0-9]*$/.test(wrapped.version) ? keys[Number(wrapped.version) - 1] : undefined
  if (!key) {
    throw new KeyManagementError(
      'not_found',
      `the key file has no version ${wrapped.version.slice(0, 16)}`,
    )
  }
  if (wrapped.ciphertext.length <= ivLength + tagLength) throw refused()
  const decipher = createDecipheriv('aes-256-gcm', key, wrapped.ciphertext.subarray(0, ivLength))
  decipher.setAAD(contextBytes(context))
  decipher.setAuthTag(wrapped.ciphertext.subarray(-tagLength))
  try {
    return Buffer.concat([
      decipher.update(wrapped.ciphertext.subarray(ivLength, -tagLength)),
      decipher.final(),
    ])
  } catch {
    throw refused()
  }
}

function refused(): KeyManagementError {
  return new KeyManagementError(
    'refused',
    'the wrapped data key was altered or was made for another place',
  )
}

/**
 * Reads a key file.
 * @throws KeyManagementError `not_found` when the text holds no key or a line is not one
 */
export function readKeyFile(file: string): KeyFile {
  const lines = file.split('\n').map((line) => line.trim())
  const states = lines.filter((line) => line.startsWith('state:'))
  const keys = lines
    .filter((line) => line !== '' && !line.startsWith('#') && !line.startsWith('state:'))
    .map((line, position) => {
      const key = Buffer.from(line, 'base64')
      if (key.length !== 32 || key.toString('base64') !== line) {
        throw new KeyManagementError(
          'not_found',
          `key ${position + 1} of the key file is not base64 of 32 bytes`,
        )
      }
      return key
    })
  if (keys.length === 0) {
    throw new KeyManagementError(
      'not_found',
      'the key file holds no key: write one with `openssl rand -base64 32`',
    )
  }
  const keyId = createHash('sha256')
    .update('cardea-local-kek\0')
    .update(keys[0] as Buffer)
    .digest('hex')
    .slice(0, 16)
  return { keys, keyId, state: states.at(-1)?.slice('state:'.length).trim() }
}
