import { hash } from 'node:crypto'
import { crc32 } from './crc32.ts'

/**
 * The format of an API key: `<prefix>_<43 characters: base62 of 32 bytes><6 characters: base62 of a CRC-32>`.
 * The checksum covers `<prefix>_<43 characters>`, so a secret scanner and the auth service tell a typo without a look-up.
 */
const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const bodyLength = 43
const checksumLength = 6
const underscore = 0x5f
const keyLike = /[a-z][a-z0-9]{1,9}_[0-9A-Za-z]{20,}/g
const foreign = /^[\x21-\x7e]{16,256}$/

/** The random part's length in bytes: 256 bits, for which an unsalted digest is enough. */
export const apiKeyEntropy = 32
export const defaultApiKeyPrefix = 'ck'

export type ApiKeyShape = 'cardea' | 'foreign' | 'malformed'

/**
 * Writes a new key.
 * @param prefix 2 to 10 characters of `[a-z0-9]`, a letter first
 * @param random exactly 32 bytes of a cryptographic generator
 */
export function mintApiKey(prefix: string, random: Uint8Array): string {
  if (random.length !== apiKeyEntropy) throw new RangeError('an API key takes 32 random bytes')
  const unchecked = `${prefix}_${base62(BigInt(`0x${Buffer.from(random).toString('hex')}`), bodyLength)}`
  return unchecked + checksum(unchecked)
}

/**
 * Tells what a credential can be, from its characters alone.
 * `cardea`: of Cardea's format with a right checksum. `foreign`: printable ASCII that may be a key minted elsewhere and
 * imported by digest (a Cardea key with a typo is of this shape too). `malformed`: neither; never worth a look-up.
 */
export function readApiKey(text: string): ApiKeyShape {
  if (hasChecksum(text)) return 'cardea'
  return foreign.test(text) ? 'foreign' : 'malformed'
}

/** The text without what looks like an API key or most of one, for logs and wherever else somebody may read it. */
export function withoutApiKeys(text: string): string {
  return text.replace(keyLike, '[redacted]')
}

/** SHA-256 of the key's UTF-8 bytes, 32 bytes: what is stored and what a request is judged by. */
export function digestApiKey(text: string): Buffer {
  return hash('sha256', text, 'buffer')
}

/** The last four characters, by which people recognise a key. */
export function lastFour(text: string): string {
  return text.slice(-4)
}

/** Every request comes through here: on numbers, it takes a fifth of what strings and patterns take. */
function hasChecksum(text: string): boolean {
  const end = text.length - checksumLength
  const body = end - bodyLength
  if (body < 3 || body > 11 || text.charCodeAt(body - 1) !== underscore) return false
  if (kindAt(text, 0) !== lower) return false
  for (let at = 1; at < body - 1; at++) {
    if ((kindAt(text, at) & (lower | digit)) === 0) return false
  }
  for (let at = body; at < end; at++) {
    if (kindAt(text, at) === other) return false
  }
  let rest = crc32(text, end)
  for (let at = text.length - 1; at >= end; at--) {
    // Not %: on what may not fit into 31 bits it divides floating-point numbers, slowly.
    const quotient = (rest / 62) >>> 0
    if (text.charCodeAt(at) !== alphabet.charCodeAt(rest - quotient * 62)) return false
    rest = quotient
  }
  return true
}

const other = 0
const digit = 1
const upper = 2
const lower = 4
/** Of each ASCII character. */
const kinds = Uint8Array.from({ length: 128 }, (_, code) => {
  const character = String.fromCharCode(code)
  if (/[0-9]/.test(character)) return digit
  if (/[A-Z]/.test(character)) return upper
  return /[a-z]/.test(character) ? lower : other
})

function kindAt(text: string, at: number): number {
  const code = text.charCodeAt(at)
  return code < 128 ? (kinds[code] as number) : other
}

/** What a key of Cardea's begins with, before the underscore. */
export function prefixOf(text: string): string {
  return text.slice(0, text.indexOf('_'))
}

function checksum(text: string): string {
  return base62(BigInt(crc32(text)), checksumLength)
}

function base62(value: bigint, length: number): string {
  let text = ''
  for (let rest = value; text.length < length; rest /= 62n)
    text = alphabet[Number(rest % 62n)] + text
  return text
}
