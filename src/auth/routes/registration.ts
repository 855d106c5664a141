import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { clientOf } from '../plugins/client.ts'
import { isRefused, sendRefused } from '../refusal.ts'
import { bodyOf } from './body.ts'
import { email, mailedToken, newPassword } from './field.ts'
import type { PeopleRouteOptions } from './options.ts'

export const registerRequest = z.strictObject({
  organization: z
    .string()
    .min(1)
    .max(63)
    .describe(
      'The short name: 2 to 63 lower-case letters, digits and inner hyphens, as headers and hosts have it.',
    ),
  displayName: z.string().min(1).max(240).describe('The name of the organization for people.'),
  email,
  name: z.string().max(240).optional().describe('What its first owner is called.'),
  password: newPassword,
})
export const acceptedResponse = z.object({ accepted: z.literal(true) })

export const verifyEmailRequest = z.strictObject({
  token: mailedToken,
  password: z
    .string()
    .min(1)
    .max(4096)
    .describe('The one that was chosen with the account. After five wrong ones the token is over.'),
})
export const accountResponse = z.object({
  organization: z.string().describe('The name of the organization.'),
  email: z.string(),
})

/** Organizations that people make for themselves. In a context that takes JSON. */
export function registerRegistration(context: FastifyInstance, options: PeopleRouteOptions): void {
  const { addresses } = options
  const { registration } = options.people

  context.post('/api/auth/register', async (request, reply) => {
    const { name = '', ...body } = bodyOf(request, registerRequest)
    const client = clientOf(request, addresses)
    const outcome = await registration.register({ ...body, name, client })
    return isRefused(outcome) ? sendRefused(reply, outcome) : reply.code(202).send(outcome)
  })

  context.post('/api/auth/verify-email', async (request, reply) => {
    const { token, password } = bodyOf(request, verifyEmailRequest)
    const client = clientOf(request, addresses)
    const outcome = await registration.verifyEmail(token, password, client)
    return isRefused(outcome) ? sendRefused(reply, outcome) : outcome
  })
}
