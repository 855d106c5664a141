import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { formMediaType, readForm } from '../form.ts'
import type { TokenSession } from '../people.ts'
import { clientOf } from '../plugins/client.ts'
import { isRefused, sendRefused } from '../refusal.ts'
import { bodyOf } from './body.ts'
import type { PeopleRouteOptions } from './options.ts'

/** RFC 6749, section 5.1. */
export const tokenResponse = z.object({
  access_token: z.string(),
  token_type: z.literal('Bearer'),
  expires_in: z.int().min(1).describe('Seconds for which the access token is valid.'),
  refresh_token: z.string().describe('Of use once. A second use of it ends the session.'),
})

export const refreshRequest = z.strictObject({
  refresh_token: z.string().min(1).max(256).describe('The newest that the session was given.'),
})

/** RFC 7009, section 2.1. Other parameters are passed over (RFC 6749, section 3.2). */
export const revocationRequest = z.object({
  token: z.string().min(1).max(4096).describe('A refresh token, or an access token.'),
  token_type_hint: z
    .string()
    .max(128)
    .optional()
    .describe('What kind of token it is. Cardea can tell without.'),
})

/** What whoever signs in with `session: "token"` is answered, and again at each refresh. */
export function tokensOf(session: TokenSession): z.infer<typeof tokenResponse> {
  return {
    access_token: session.accessToken,
    token_type: 'Bearer',
    expires_in: session.expiresIn,
    refresh_token: session.refreshToken,
  }
}

/** New tokens for a refresh token. In a context that takes JSON. */
export function registerRefresh(context: FastifyInstance, options: PeopleRouteOptions): void {
  const { people, addresses } = options
  context.post('/api/auth/refresh', async (request, reply) => {
    const { refresh_token: token } = bodyOf(request, refreshRequest)
    const outcome = await people.sessions.refresh(token, clientOf(request, addresses))
    if (isRefused<'token_invalid' | 'signing_unavailable'>(outcome)) {
      return sendRefused(reply, outcome)
    }
    return tokensOf(outcome)
  })
}

/**
 * The revocation of tokens (RFC 7009): whoever has a token may revoke it. In a context with nothing but the edges: it takes
 * a form.
 */
export function registerRevocation(framework: FastifyInstance, options: PeopleRouteOptions): void {
  const { people, addresses } = options
  void framework.register(async (context) => {
    context.removeAllContentTypeParsers()
    context.addContentTypeParser(
      formMediaType,
      { parseAs: 'string' },
      async (_request: unknown, body: string | Buffer) => readForm(body.toString()),
    )
    context.post('/oauth2/revoke', async (request, reply) => {
      const { token } = bodyOf(request, revocationRequest)
      await people.sessions.revokeToken(token, clientOf(request, addresses))
      // RFC 7009, section 2.2: an invalid token is answered like a valid one.
      return reply.code(200).send()
    })
  })
}
