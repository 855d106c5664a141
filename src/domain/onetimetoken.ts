import { hash } from 'node:crypto'

/**
 * A token that names its organization, so that it is looked for in one tenant alone:
 * `<prefix>_<22 characters: base64url of the organization's id><43 characters: base64url of 32 random bytes>`.
 */
export const tokenEntropy = 32
const organizationLength = 22
const secretLength = 43
const shape = /^[A-Za-z0-9_-]+$/

/** `co`: what a mail carries (invitation, verification, reset); `cr`: a refresh token. */
export type TokenPrefix = 'co' | 'cr'

/** Seconds for which a token of a mail can be used at most; none outlives what it is for. */
export const tokenLifetime = {
  registration: 86_400,
  invitation: 7 * 86_400,
  email_verification: 86_400,
  password_reset: 3600,
} as const

/** A token as it is looked for. */
export interface PresentedToken {
  readonly organizationId: string
  /** SHA-256 of the whole text, 32 bytes. */
  readonly digest: Buffer
}

/**
 * Writes a new token.
 * @param organizationId a UUID
 * @param random exactly 32 bytes of a cryptographic generator
 */
export function mintToken(prefix: TokenPrefix, organizationId: string, random: Uint8Array): string {
  if (random.length !== tokenEntropy) throw new RangeError('a token takes 32 random bytes')
  const tenant = Buffer.from(organizationId.replaceAll('-', ''), 'hex').toString('base64url')
  return `${prefix}_${tenant}${Buffer.from(random).toString('base64url')}`
}

/** Reads what somebody presents as a token. @returns undefined when it cannot be one; only one spelling of each is read */
export function readToken(prefix: TokenPrefix, text: string): PresentedToken | undefined {
  const start = prefix.length + 1
  if (text.length !== start + organizationLength + secretLength) return undefined
  const [tenant, secret] = [text.slice(start, -secretLength), text.slice(-secretLength)]
  if (!text.startsWith(`${prefix}_`) || !shape.test(tenant) || !shape.test(secret)) return undefined
  const id = Buffer.from(tenant, 'base64url')
  if (id.toString('base64url') !== tenant) return undefined
  if (Buffer.from(secret, 'base64url').toString('base64url') !== secret) return undefined
  const hex = id.toString('hex')
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20)]
  return { organizationId: [...parts, hex.slice(20)].join('-'), digest: digestToken(text) }
}

/** SHA-256 of a token's text: what is stored. */
export function digestToken(text: string): Buffer {
  return hash('sha256', text, 'buffer')
}
