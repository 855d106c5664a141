import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { SessionView } from '../people.ts'
import { personOf, requirePerson } from '../plugins/authentication.ts'
import { clientOf } from '../plugins/client.ts'
import { clearSessionCookie } from '../plugins/sessioncookie.ts'
import { isRefused, sendRefused } from '../refusal.ts'
import { bodyOf, expectNoBody } from './body.ts'
import type { PeopleRouteOptions } from './options.ts'

const moment = z.iso.datetime()

const sessionResponse = z.object({
  id: z.string(),
  kind: z.enum(['browser', 'token']).describe('token: an API client with access tokens.'),
  current: z.boolean().describe('Whether it is the one that asks.'),
  deviceName: z.string().describe('Firefox on Windows, for example.'),
  address: z.string().nullable().describe('From where it was used last, as far as that is known.'),
  createdAt: moment,
  lastSeenAt: moment,
  expiresAt: moment.describe('When it ends at the latest.'),
})
export const sessionsResponse = z.object({ sessions: z.array(sessionResponse) })

export const revokeAllRequest = z.strictObject({
  keep: z
    .enum(['current', 'none'])
    .describe('current: all but the session that asks. none: that one too.'),
})
export const revokedResponse = z.object({
  revoked: z.int().min(0).describe('How many sessions ended.'),
})

/** One's own sessions. In a context that takes JSON. */
export function registerSessions(context: FastifyInstance, options: PeopleRouteOptions): void {
  const { addresses } = options
  const { sessions } = options.people
  const onRequest = requirePerson(options)

  context.get('/api/auth/sessions', {
    onRequest,
    handler: async (request) => {
      const views = await sessions.list(personOf(request))
      return { sessions: views.map(sessionOf) }
    },
  })

  context.post<{ Params: { id: string } }>(
    '/api/auth/sessions/:id/revoke',
    { onRequest },
    async (request, reply) => {
      expectNoBody(request)
      const person = personOf(request)
      const { id } = request.params
      const outcome = await sessions.revoke(person, id, clientOf(request, addresses))
      if (isRefused<'not_found'>(outcome)) return sendRefused(reply, outcome)
      if (id === person.sessionId) clearSessionCookie(reply)
      return reply.code(204).send()
    },
  )

  context.post('/api/auth/sessions/revoke-all', { onRequest }, async (request, reply) => {
    const { keep } = bodyOf(request, revokeAllRequest)
    const client = clientOf(request, addresses)
    const outcome = await sessions.revokeAll(personOf(request), keep, client)
    if (keep === 'none') clearSessionCookie(reply)
    return outcome
  })

  context.post('/api/auth/logout', { onRequest }, async (request, reply) => {
    expectNoBody(request)
    await sessions.end(personOf(request), clientOf(request, addresses))
    clearSessionCookie(reply)
    return reply.code(204).send()
  })
}

function sessionOf(view: SessionView): z.infer<typeof sessionResponse> {
  const { createdAt, lastSeenAt, expiresAt, address, ...rest } = view
  return {
    ...rest,
    address: address ?? null,
    createdAt: createdAt.toISOString(),
    lastSeenAt: lastSeenAt.toISOString(),
    expiresAt: expiresAt.toISOString(),
  }
}
