import type { FastifyInstance, FastifyReply } from 'fastify'
import { z } from 'zod'
import type { StartedSession } from '../people.ts'
import { clientOf, hintOf } from '../plugins/client.ts'
import { setSessionCookies } from '../plugins/sessioncookie.ts'
import { isRefused, sendRefused } from '../refusal.ts'
import { bodyOf } from './body.ts'
import { email, organizationName } from './field.ts'
import type { PeopleRouteOptions } from './options.ts'
import { tokensOf } from './token.ts'

const session = z
  .enum(['cookie', 'token'])
  .optional()
  .describe(
    'cookie: for browsers, in a cookie. token: for programs, an access token and a refresh token. Left out: cookie.',
  )

/** Any text: whether it is a password is told by nothing but its hash. */
const password = z.string().min(1).max(4096)

export const signInRequest = z.strictObject({
  organization: organizationName.optional(),
  email,
  password,
  session,
})

export const codeRequest = z.strictObject({ organization: organizationName.optional(), email })
export const challengeResponse = z.object({
  challenge: z.string().describe('What the code of the mail is sent back with. Keep it.'),
})
export const codeSignInRequest = z.strictObject({
  challenge: z.string().min(1).max(256),
  code: z.string().min(1).max(32).describe('The six digits of the mail.'),
  session,
})

export const startedResponse = z.object({
  sessionId: z.string(),
  expiresAt: z.iso.datetime().describe('When the session ends at the latest.'),
})

/** Signing in. In a context that takes JSON. */
export function registerSignIn(context: FastifyInstance, options: PeopleRouteOptions): void {
  const { addresses } = options
  const { signIn } = options.people

  context.post('/api/auth/login', async (request, reply) => {
    const body = bodyOf(request, signInRequest)
    const started = await signIn.withPassword({
      organization: hintOf(request, body.organization),
      email: body.email,
      password: body.password,
      kind: kindOf(body.session),
      client: clientOf(request, addresses),
    })
    return isRefused(started) ? sendRefused(reply, started) : give(reply, started)
  })

  context.post('/api/auth/otp/request', async (request, reply) => {
    const body = bodyOf(request, codeRequest)
    const sent = await signIn.requestCode({
      organization: hintOf(request, body.organization),
      email: body.email,
      client: clientOf(request, addresses),
    })
    if (isRefused(sent)) return sendRefused(reply, sent)
    return reply.code(202).send(sent)
  })

  context.post('/api/auth/otp/verify', async (request, reply) => {
    const { challenge, code, session: wanted } = bodyOf(request, codeSignInRequest)
    const client = clientOf(request, addresses)
    const started = await signIn.withCode({ challenge, code, kind: kindOf(wanted), client })
    return isRefused(started) ? sendRefused(reply, started) : give(reply, started)
  })
}

function kindOf(wanted: z.infer<typeof session>): StartedSession['kind'] {
  return wanted === 'token' ? 'token' : 'browser'
}

function give(reply: FastifyReply, started: StartedSession) {
  if (started.kind === 'token') return tokensOf(started)
  setSessionCookies(reply, started)
  return { sessionId: started.sessionId, expiresAt: started.expiresAt.toISOString() }
}
