import { mintApiKey, readApiKey } from './apikey.ts'
import { digestToken } from './onetimetoken.ts'

/** RFC 6265bis, section 4.1.3.2: the prefix keeps a cookie to this host, to its whole path and to TLS. */
export const sessionCookie = '__Host-cardea_session'
export const deviceCookie = '__Host-cardea_device'

const prefix = 'session'

/**
 * Writes the text of a new session cookie, in the format of an API key: a wrong one is told by its checksum.
 * @param random exactly 32 bytes of a cryptographic generator
 */
export function mintSession(random: Uint8Array): string {
  return mintApiKey(prefix, random)
}

/** Whether a text can be a session cookie's, from its characters alone. */
export function isSessionText(text: string): boolean {
  return text.startsWith(`${prefix}_`) && readApiKey(text) === 'cardea'
}

/**
 * What a session that has no cookie is found by: the access tokens carry its id. It is no digest of any cookie's text, because
 * no cookie's text has a colon.
 */
export function tokenSessionDigest(sessionId: string): Buffer {
  return digestToken(`session:${sessionId}`)
}
