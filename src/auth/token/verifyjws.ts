import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import { promisify } from 'node:util'
import type { SigningAlgorithm } from '../../domain/signingkey.ts'

/** What a token is verified with. */
export interface VerificationKey {
  readonly algorithm: SigningAlgorithm
  readonly key: KeyObject
}

/** What each algorithm is done with (RFC 8037, section 2; RFC 7518, section 6.2.1). */
const curves = { EdDSA: ['OKP', 'Ed25519'], ES256: ['EC', 'P-256'] } as const satisfies Record<
  SigningAlgorithm,
  readonly [kty: string, crv: string]
>

/**
 * A key to verify with, of its public half (RFC 7517, section 4).
 * @returns undefined when it is not a key for signatures by this algorithm
 */
export function verificationKey(
  algorithm: SigningAlgorithm,
  jwk: Readonly<Record<string, unknown>>,
): VerificationKey | undefined {
  const { kty, crv, x, y, use = 'sig', alg = algorithm, key_ops: operations = ['verify'] } = jwk
  const [type, curve] = curves[algorithm]
  if (kty !== type || crv !== curve || use !== 'sig' || alg !== algorithm) return undefined
  if (!Array.isArray(operations) || !operations.includes('verify')) return undefined
  try {
    const half = { kty, crv, x, ...(algorithm === 'ES256' && { y }) } as Record<string, string>
    return { algorithm, key: createPublicKey({ key: half, format: 'jwk' }) }
  } catch {
    return undefined
  }
}

/** A signed token in its compact form (RFC 7515, section 7.1), read but not verified. */
export interface ReadJws {
  readonly header: Readonly<Record<string, unknown>>
  readonly payload: Buffer
  readonly signed: Buffer
  readonly signature: Buffer
}

const longest = 8192
const signatureBytes = 64
const checked = promisify(verify)

/**
 * Reads a token of which each part has its one spelling: base64url without padding, without a stray bit, and a header whose
 * JSON is written as this service writes it, which leaves no room for a member that is there twice.
 * @returns undefined when it is none
 */
export function readJws(text: string): ReadJws | undefined {
  if (text.length > longest) return undefined
  const parts = text.split('.', 4)
  const [head = '', body = '', tail = ''] = parts
  if (parts.length !== 3) return undefined
  const [header, payload, signature] = [decode(head), decode(body), decode(tail)]
  if (!header || !payload || signature?.length !== signatureBytes) return undefined
  const members = canonicalObject(header)
  const signed = Buffer.from(text.slice(0, text.lastIndexOf('.')), 'latin1')
  return members && { header: members, payload, signed, signature }
}

/**
 * Whether a token was signed with a key (RFC 7515, section 5.2), by the algorithm that the key has; what the header says
 * is compared with it and never chosen from. Done beside the event loop.
 */
export async function isSignedWith(
  { header, signed, signature }: ReadJws,
  { algorithm, key }: VerificationKey,
): Promise<boolean> {
  if (header['alg'] !== algorithm) return false
  // RFC 7518, section 3.4: an ES256 signature is two numbers in a row.
  if (algorithm === 'ES256') {
    return checked('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, signature)
  }
  return checked(null, signed, key, signature)
}

/** @returns undefined when the JSON is of no object, or is not written as `JSON.stringify` writes it */
export function canonicalObject(bytes: Buffer): Readonly<Record<string, unknown>> | undefined {
  const text = bytes.toString()
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    return JSON.stringify(value) === text ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

function decode(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url')
  return bytes.toString('base64url') === text ? bytes : undefined
}
