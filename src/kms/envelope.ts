import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import {
  type Context,
  contextBytes,
  type KeyManagement,
  KeyManagementError,
  type Provider,
  providers,
  type WrappedKey,
} from './keymanagement.ts'

/** The format of an envelope. All byte strings are base64 with padding. */
export interface Envelope {
  readonly version: 1
  /** RFC 7518 section 5.3's name: AES-256 in GCM. */
  readonly algorithm: 'A256GCM'
  readonly kek: { readonly provider: Provider; readonly id: string; readonly version: string }
  readonly wrappedKey: string
  readonly iv: string
  readonly ciphertext: string
  readonly tag: string
  /** What it was made for, for people. Opening never reads it: the additional data comes from the live object. */
  readonly aad: Context
}

/** The largest envelope that is read: 64 KiB. */
const envelopeLimit = 65_536

/**
 * Encrypts under a fresh data key and has the data key wrapped.
 * @param aad what the envelope is for; also the KMS's encryption context
 * @throws KeyManagementError
 */
export async function seal(
  kms: Pick<KeyManagement, 'wrap'>,
  plaintext: Uint8Array,
  aad: Context,
): Promise<Envelope> {
  const dataKey = randomBytes(32)
  try {
    const wrapped = await kms.wrap(dataKey, aad)
    const iv = randomBytes(12)
    const cipher = createCipheriv('aes-256-gcm', dataKey, iv)
    cipher.setAAD(contextBytes(aad))
    const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()])
    return {
      version: 1,
      algorithm: 'A256GCM',
      kek: { provider: wrapped.provider, id: wrapped.keyId, version: wrapped.version },
      wrappedKey: wrapped.ciphertext.toString('base64'),
      iv: iv.toString('base64'),
      ciphertext: ciphertext.toString('base64'),
      tag: cipher.getAuthTag().toString('base64'),
      aad,
    }
  } finally {
    dataKey.fill(0)
  }
}

/**
 * Opens an envelope in the place that `aad` names, which the caller rebuilds from the live object.
 * @throws KeyManagementError `refused` when the envelope was altered or belongs elsewhere
 */
export async function open(
  kms: Pick<KeyManagement, 'unwrap'>,
  envelope: Envelope,
  aad: Context,
): Promise<Buffer> {
  const dataKey = await kms.unwrap(wrappedKeyOf(envelope), aad)
  try {
    const iv = bytes(envelope.iv)
    const tag = bytes(envelope.tag)
    // A shorter tag would be accepted by GCM itself, and forged in a few tries.
    if (dataKey.length !== 32 || iv.length !== 12 || tag.length !== 16) throw refused()
    const decipher = createDecipheriv('aes-256-gcm', dataKey, iv, { authTagLength: 16 })
    decipher.setAAD(contextBytes(aad))
    decipher.setAuthTag(tag)
    try {
      return Buffer.concat([decipher.update(bytes(envelope.ciphertext)), decipher.final()])
    } catch (error) {
      throw error instanceof KeyManagementError ? error : refused()
    }
  } finally {
    dataKey.fill(0)
  }
}

/** The one spelling of an envelope: names in the order of the format, the additional data's sorted. */
export function formatEnvelope(envelope: Envelope): string {
  return JSON.stringify({
    version: envelope.version,
    algorithm: envelope.algorithm,
    kek: { provider: envelope.kek.provider, id: envelope.kek.id, version: envelope.kek.version },
    wrappedKey: envelope.wrappedKey,
    iv: envelope.iv,
    ciphertext: envelope.ciphertext,
    tag: envelope.tag,
    aad: JSON.parse(contextBytes(envelope.aad).toString()),
  })
}

/**
 * Reads an envelope and refuses any other spelling of it.
 * @returns undefined when the text is not an envelope
 */
export function parseEnvelope(text: string): Envelope | undefined {
  if (text.length > envelopeLimit) return undefined
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  return isEnvelope(value) && formatEnvelope(value) === text ? value : undefined
}

/** Whether a parsed JSON value has the shape of an envelope. */
export function isEnvelope(value: unknown): value is Envelope {
  if (!isRecord(value) || value['version'] !== 1 || value['algorithm'] !== 'A256GCM') return false
  return (
    isRecord(value['kek']) &&
    hasStrings(value['kek'], ['provider', 'id', 'version']) &&
    providers.some(
      (provider) => provider === (value['kek'] as Record<string, unknown>)['provider'],
    ) &&
    hasStrings(value, ['wrappedKey', 'iv', 'ciphertext', 'tag']) &&
    isRecord(value['aad']) &&
    Object.values(value['aad']).every((entry) => typeof entry === 'string')
  )
}

function hasStrings(value: Record<string, unknown>, names: readonly string[]): boolean {
  return names.every((name) => typeof value[name] === 'string')
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The wrapped data key of an envelope, as the key managers know it. */
export function wrappedKeyOf({ kek, wrappedKey }: Envelope): WrappedKey {
  const { provider, id: keyId, version } = kek
  return { provider, keyId, version, ciphertext: bytes(wrappedKey) }
}

/** Strict base64: a text with a second spelling is refused. */
function bytes(text: string): Buffer {
  const value = Buffer.from(text, 'base64')
  if (value.toString('base64') !== text) throw refused()
  return value
}

function refused(): KeyManagementError {
  return new KeyManagementError('refused', 'the envelope was altered or was made for another place')
}
