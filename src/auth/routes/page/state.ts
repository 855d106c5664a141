import type { FastifyReply, FastifyRequest } from 'fastify'
import { canonicalEmail } from '../../../domain/email.ts'
import type { Identification } from '../../../web/identification.ts'

/** What is carried from one step of signing in to the next. None of it is secret or believed: it is what somebody typed. */
export interface SignInState extends Identification {
  readonly returnTo?: string | undefined
}

const signInCookie = '__Host-cardea_sign_in'
const codeCookie = '__Host-cardea_code'
const noticeCookie = '__Host-cardea_notice'

const attributes = { path: '/', httpOnly: true, secure: true, sameSite: 'lax' } as const
/** Seconds. */
const lifetime = { signIn: 900, code: 600, notice: 60 } as const

/** Bytes. */
const longestReturn = 2048

/** What was just done, told once on the next page. */
const notices = {
  signed_out: 'You are signed out.',
  signed_out_everywhere: 'You are signed out everywhere.',
  email_verified: 'Your address is confirmed. You can sign in now.',
  invitation_accepted: 'Your account is ready. You can sign in now.',
  password_reset:
    'Your password is changed, and you were signed out everywhere. Sign in with the new one.',
  password_changed: 'Your password is changed, and all your other sessions ended.',
  profile_saved: 'Your profile is saved.',
  session_ended: 'That session ended.',
  others_ended: 'You are signed out everywhere else.',
  invited: 'The invitation is on its way.',
  invitation_withdrawn: 'The invitation is withdrawn.',
  member_suspended: 'The member is suspended, and signed out everywhere.',
  member_resumed: 'The member can sign in again.',
  member_signed_out: 'The member is signed out everywhere.',
  member_removed: 'The member is removed.',
  code_sent: 'Another code is on its way. The former one is of no use any more.',
} as const
export type Notice = keyof typeof notices

/** What was typed in the first step; undefined where there was none. */
export function readSignIn(request: FastifyRequest): SignInState | undefined {
  const state = parse(request.cookies[signInCookie])
  if (typeof state !== 'object' || state === null || !('email' in state)) return undefined
  const { organization, email, returnTo } = state as Readonly<Record<string, unknown>>
  if (typeof organization !== 'string' || typeof email !== 'string') return undefined
  return {
    organization,
    email,
    returnTo: typeof returnTo === 'string' && returnTo !== '' ? returnTo : undefined,
  }
}

/**
 * The same, for a form of the second step.
 * @param email the one of the form: attempts are counted by it, so it must be the one that is tried
 */
export function readSignInOf(request: FastifyRequest, email: string): SignInState | undefined {
  const state = readSignIn(request)
  return state && state.email !== '' && state.email === canonicalEmail(email) ? state : undefined
}

function parse(cookie: string | undefined): unknown {
  try {
    return JSON.parse(Buffer.from(cookie ?? '', 'base64url').toString())
  } catch {
    return undefined
  }
}

export function keepSignIn(reply: FastifyReply, { returnTo = '', ...who }: SignInState): void {
  // A browser drops a cookie of more than 4096 bytes, and whoever signs in would begin again and again.
  const kept = Buffer.byteLength(returnTo) <= longestReturn ? { ...who, returnTo } : who
  const text = Buffer.from(JSON.stringify(kept)).toString('base64url')
  reply.setCookie(signInCookie, text, { ...attributes, maxAge: lifetime.signIn })
}

/** The challenge of a code that was sent. */
export function readChallenge(request: FastifyRequest): string | undefined {
  return request.cookies[codeCookie]
}

export function keepChallenge(reply: FastifyReply, challenge: string): void {
  reply.setCookie(codeCookie, challenge, { ...attributes, maxAge: lifetime.code })
}

/** What was carried along is of no use once somebody is signed in. */
export function forgetSignIn(reply: FastifyReply): void {
  reply.clearCookie(signInCookie, attributes)
  reply.clearCookie(codeCookie, attributes)
}

export function announce(reply: FastifyReply, notice: Notice): void {
  reply.setCookie(noticeCookie, notice, { ...attributes, maxAge: lifetime.notice })
}

/** What the page before has to say; it is said once. */
export function takeNotice(request: FastifyRequest, reply: FastifyReply): string | undefined {
  const notice = request.cookies[noticeCookie]
  if (notice === undefined) return undefined
  reply.clearCookie(noticeCookie, attributes)
  return Object.hasOwn(notices, notice) ? notices[notice as Notice] : undefined
}
