import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { type Context, contextBytes, KeyManagementError } from './keymanagement.ts'

const ivLength = 12
const tagLength = 16

/** The place of a sealed value: it opens in no other row, column or organization. */
export interface Column {
  readonly organizationId: string
  readonly table: string
  readonly rowId: string
  readonly column: string
}

/**
 * Encrypts a value for its column (AES-256-GCM).
 * @param dataKey 32 bytes
 * @returns IV, ciphertext and tag, one after another
 */
export function sealColumn(dataKey: Uint8Array, plaintext: Uint8Array, column: Column): Buffer {
  const iv = randomBytes(ivLength)
  const cipher = createCipheriv('aes-256-gcm', dataKey, iv)
  cipher.setAAD(contextBytes(contextOf(column)))
  return Buffer.concat([iv, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

/**
 * Decrypts what `sealColumn` made.
 * @throws KeyManagementError `refused` when it was altered or is another column's, or the data key another one
 */
export function openColumn(dataKey: Uint8Array, sealed: Buffer, column: Column): Buffer {
  if (sealed.length < ivLength + tagLength) throw refused()
  const iv = sealed.subarray(0, ivLength)
  const decipher = createDecipheriv('aes-256-gcm', dataKey, iv, { authTagLength: tagLength })
  decipher.setAAD(contextBytes(contextOf(column)))
  decipher.setAuthTag(sealed.subarray(-tagLength))
  try {
    return Buffer.concat([decipher.update(sealed.subarray(ivLength, -tagLength)), decipher.final()])
  } catch {
    throw refused()
  }
}

function contextOf({ organizationId, table, rowId, column }: Column): Context {
  return { organization: organizationId, table, row: rowId, column }
}

function refused(): KeyManagementError {
  return new KeyManagementError('refused', 'the sealed value was altered or belongs elsewhere')
}
