import type { FastifyReply } from 'fastify'
import { deviceCookie, sessionCookie } from '../../domain/session.ts'
import type { BrowserSession } from '../people.ts'

/** SameSite=Lax: a link from a mail to a page finds its reader signed in; a form of another site does not. */
const attributes = { path: '/', httpOnly: true, secure: true, sameSite: 'lax' } as const
/** Seconds: 400 days, the longest that browsers keep a cookie (RFC 6265bis, section 5.5). */
const deviceLifetime = 400 * 86_400

/** Gives the browser its session, and what it is recognised by later. */
export function setSessionCookies(
  reply: FastifyReply,
  { cookie, device, expiresAt }: Pick<BrowserSession, 'cookie' | 'device' | 'expiresAt'>,
): void {
  reply.setCookie(sessionCookie, cookie, { ...attributes, expires: expiresAt })
  reply.setCookie(deviceCookie, device, { ...attributes, maxAge: deviceLifetime })
}

/** Gives the browser another text for the session that it has. It ends with the browser, or with the session. */
export function renewSessionCookie(reply: FastifyReply, cookie: string): void {
  reply.setCookie(sessionCookie, cookie, attributes)
}

/** Has the browser forget its session. It stays known as a device. */
export function clearSessionCookie(reply: FastifyReply): void {
  reply.clearCookie(sessionCookie, attributes)
}
