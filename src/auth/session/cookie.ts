import { deviceCookie, sessionCookie } from '../../domain/session.ts'

/** Not for scripts, over TLS alone, to this host alone, and not with a request that another site makes but for a link to here. */
const attributes = 'Path=/; HttpOnly; Secure; SameSite=Lax'

/** RFC 6265bis, section 5.5: browsers keep no cookie for longer. In seconds. */
const longest = 400 * 86_400

/** The Set-Cookie header that puts a session into a browser. @param now milliseconds since the epoch */
export function sessionCookieHeader(text: string, expiresAt: Date, now: number): string {
  const seconds = Math.floor((expiresAt.getTime() - now) / 1000)
  return header(sessionCookie, text, Math.min(Math.max(seconds, 0), longest))
}

/** The Set-Cookie header by which a browser is known again. */
export function deviceCookieHeader(text: string): string {
  return header(deviceCookie, text, longest)
}

/** The Set-Cookie header that takes the session out of a browser. The device stays known. */
export function endedSessionCookieHeader(): string {
  return header(sessionCookie, '', 0)
}

function header(name: string, text: string, seconds: number): string {
  return `${name}=${text}; Max-Age=${seconds}; ${attributes}`
}
