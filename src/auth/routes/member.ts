import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { Member } from '../people.ts'
import { personOf, requirePerson } from '../plugins/authentication.ts'
import { clientOf } from '../plugins/client.ts'
import { renewSessionCookie } from '../plugins/sessioncookie.ts'
import { isRefused, sendRefused } from '../refusal.ts'
import { bodyOf, expectNoBody, readAs } from './body.ts'
import { personName, resourceName } from './field.ts'
import type { PeopleRouteOptions } from './options.ts'

const moment = z.iso.datetime()

export const namedRole = z.strictObject({
  role: resourceName.describe(
    'owner, admin, developer, viewer, auditor, or a role of the organization.',
  ),
  project: resourceName.optional().describe('Left out: on the whole organization.'),
})

export const memberResponse = z.object({
  id: z.string(),
  email: z.string(),
  name: z.string(),
  status: z.enum(['active', 'suspended']),
  roles: z.array(
    z.object({
      role: z.string(),
      project: z.string().nullable().describe('null: on the whole organization.'),
      source: z.enum(['resource', 'api']).describe('resource: only the resource can change it.'),
    }),
  ),
  createdAt: moment,
  lastSignedInAt: moment.nullable(),
})

export const meResponse = memberResponse.extend({
  organization: z.string().describe('The name of the organization.'),
  displayName: z.string().describe('What the organization calls itself.'),
})
export const renameRequest = z.strictObject({ name: personName })

const pageQuery = z.strictObject({
  after: z.uuid().optional(),
  limit: z
    .string()
    .regex(/^[1-9][0-9]{0,2}$/, 'must be a number from 1 to 999; more than 100 counts as 100')
    .optional(),
})
const limits = { usual: 50, most: 100 } as const
export const membersResponse = z.object({
  members: z.array(memberResponse),
  next: z.string().nullable().describe('What `after` is for the next page; null: there is none.'),
})

export const rolesRequest = z.strictObject({
  roles: z.array(namedRole).max(50).describe('All that the member is to have, and no others.'),
})

interface OfMember {
  readonly Params: { readonly id: string }
}

/** Who one is. In a context that takes JSON. */
export function registerMe(context: FastifyInstance, options: PeopleRouteOptions): void {
  const { members } = options.people
  const onRequest = requirePerson(options)

  context.get('/api/auth/me', {
    onRequest,
    handler: async (request) => meOf(await members.me(personOf(request))),
  })

  context.patch('/api/auth/me', { onRequest }, async (request, reply) => {
    const person = personOf(request)
    const { name: wanted } = bodyOf(request, renameRequest)
    const outcome = await members.rename(person, wanted, clientOf(request, options.addresses))
    if (isRefused<'invalid_request'>(outcome)) return sendRefused(reply, outcome)
    return meOf(await members.me(person))
  })
}

/** The people of the organization. In a context that takes JSON. */
export function registerMembers(context: FastifyInstance, options: PeopleRouteOptions): void {
  const { people, addresses } = options
  const { members } = people
  const onRequest = requirePerson(options)

  context.get('/api/members', { onRequest }, async (request, reply) => {
    const { after, limit } = readAs(pageQuery, request.query)
    const page = { after, limit: Math.min(Number(limit ?? limits.usual), limits.most) }
    const outcome = await members.list(personOf(request), page)
    if (isRefused<'permission_denied'>(outcome)) return sendRefused(reply, outcome)
    return { members: outcome.members.map(memberOf), next: outcome.next ?? null }
  })

  context.put<OfMember>('/api/members/:id/roles', { onRequest }, async (request, reply) => {
    const { roles } = bodyOf(request, rolesRequest)
    const client = clientOf(request, addresses)
    const outcome = await members.setRoles(personOf(request), request.params.id, roles, client)
    if ('refused' in outcome) return sendRefused(reply, outcome)
    if (outcome.cookie !== undefined) renewSessionCookie(reply, outcome.cookie)
    return memberOf(outcome.member)
  })

  for (const [verb, suspended] of [
    ['suspend', true],
    ['resume', false],
  ] as const) {
    context.post<OfMember>(`/api/members/:id/${verb}`, { onRequest }, async (request, reply) => {
      expectNoBody(request)
      const client = clientOf(request, addresses)
      const { id } = request.params
      const outcome = await members.setSuspended(personOf(request), id, suspended, client)
      return 'refused' in outcome ? sendRefused(reply, outcome) : memberOf(outcome)
    })
  }

  context.delete<OfMember>('/api/members/:id', { onRequest }, async (request, reply) => {
    expectNoBody(request)
    const client = clientOf(request, addresses)
    const outcome = await members.remove(personOf(request), request.params.id, client)
    return 'refused' in outcome ? sendRefused(reply, outcome) : reply.code(204).send()
  })

  context.post<OfMember>(
    '/api/members/:id/sessions/revoke-all',
    { onRequest },
    async (request, reply) => {
      expectNoBody(request)
      const client = clientOf(request, addresses)
      const outcome = await members.endSessionsOf(personOf(request), request.params.id, client)
      return 'refused' in outcome ? sendRefused(reply, outcome) : outcome
    },
  )
}

function memberOf(member: Member): z.infer<typeof memberResponse> {
  const { id, email, name: called, status, roles, createdAt, lastSignedInAt } = member
  return {
    id,
    email,
    name: called,
    status,
    roles: roles.map(({ role, project, source }) => ({ role, project: project ?? null, source })),
    createdAt: createdAt.toISOString(),
    lastSignedInAt: lastSignedInAt?.toISOString() ?? null,
  }
}

function meOf(
  me: Member & { readonly organization: string; readonly displayName: string },
): z.infer<typeof meResponse> {
  const { organization, displayName } = me
  return { ...memberOf(me), organization, displayName }
}
