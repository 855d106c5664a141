import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { Invitation } from '../people.ts'
import { personOf, requirePerson } from '../plugins/authentication.ts'
import { clientOf } from '../plugins/client.ts'
import { isRefused, sendRefused } from '../refusal.ts'
import { bodyOf, expectNoBody } from './body.ts'
import { email as address, personName } from './field.ts'
import { namedRole } from './member.ts'
import type { PeopleRouteOptions } from './options.ts'

const moment = z.iso.datetime()

export const inviteRequest = namedRole.extend({ email: address })

export const invitationResponse = z.object({
  id: z.string(),
  email: z.string(),
  role: z.string(),
  project: z.string().nullable().describe('null: on the whole organization.'),
  createdAt: moment,
  expiresAt: moment,
})
export const invitationsResponse = z.object({ invitations: z.array(invitationResponse) })

export const acceptRequest = z.strictObject({
  token: z.string().min(1).max(256).describe('As the mail brought it.'),
  name: personName.describe('What the person is called; it may be empty.'),
  password: z.string().min(1).max(4096),
})
export const acceptResponse = z
  .object({ organization: z.string(), email: z.string() })
  .describe('What to sign in with now.')

/** Invitations. In a context that takes JSON. */
export function registerInvitations(context: FastifyInstance, options: PeopleRouteOptions): void {
  const { people, addresses } = options
  const { invitations } = people
  const onRequest = requirePerson(options)

  context.post('/api/auth/invite', { onRequest }, async (request, reply) => {
    const wanted = bodyOf(request, inviteRequest)
    const client = clientOf(request, addresses)
    const outcome = await invitations.invite(personOf(request), wanted, client)
    if ('refused' in outcome) return sendRefused(reply, outcome)
    return reply.code(201).send(invitationOf(outcome))
  })

  context.get('/api/auth/invitations', { onRequest }, async (request, reply) => {
    const outcome = await invitations.list(personOf(request))
    if (isRefused<'permission_denied'>(outcome)) return sendRefused(reply, outcome)
    return { invitations: outcome.map(invitationOf) }
  })

  context.post<{ Params: { id: string } }>(
    '/api/auth/invitations/:id/revoke',
    { onRequest },
    async (request, reply) => {
      expectNoBody(request)
      const client = clientOf(request, addresses)
      const outcome = await invitations.revoke(personOf(request), request.params.id, client)
      return 'refused' in outcome ? sendRefused(reply, outcome) : reply.code(204).send()
    },
  )

  context.post('/api/auth/accept', async (request, reply) => {
    const { token, name, password } = bodyOf(request, acceptRequest)
    const client = clientOf(request, addresses)
    const outcome = await invitations.accept(token, { name, password }, client)
    return 'refused' in outcome ? sendRefused(reply, outcome) : outcome
  })
}

function invitationOf(invitation: Invitation): z.infer<typeof invitationResponse> {
  const { id, email, role, project, createdAt, expiresAt } = invitation
  return {
    id,
    email,
    role,
    project: project ?? null,
    createdAt: createdAt.toISOString(),
    expiresAt: expiresAt.toISOString(),
  }
}
