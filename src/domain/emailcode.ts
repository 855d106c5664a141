import { hash } from 'node:crypto'

/** How sign-in codes are bounded; times in seconds. */
export const emailCode = {
  digits: 6,
  lifetime: 600,
  tries: 3,
  /** Codes for one address in an hour. */
  most: 3,
  window: 3600,
} as const

/** Writes a code. @param random a whole number below a million, of a cryptographic generator */
export function writeEmailCode(random: number): string {
  if (!Number.isInteger(random) || random < 0 || random >= 10 ** emailCode.digits) {
    throw new RangeError('a code takes a whole number below a million')
  }
  return String(random).padStart(emailCode.digits, '0')
}

/** Reads a code as people type it, with spaces. @returns undefined when it cannot be one */
export function readEmailCode(text: string): string | undefined {
  const code = text.replaceAll(/\s/g, '')
  return /^[0-9]{6}$/.test(code) ? code : undefined
}

/**
 * What the codes for an address without an account are counted by: a UUID of version 8 (RFC 9562, section 5.8), the same for
 * the same address.
 */
export function subjectOfNobody(organizationId: string, email: string): string {
  const digest = hash('sha256', `${organizationId}:${email}`, 'buffer').subarray(0, 16)
  digest[6] = (0x80 | ((digest[6] ?? 0) & 0x0f)) & 0xff
  digest[8] = (0x80 | ((digest[8] ?? 0) & 0x3f)) & 0xff
  const hex = digest.toString('hex')
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20)]
  return [...parts, hex.slice(20)].join('-')
}
