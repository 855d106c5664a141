import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { personOf, requirePerson } from '../plugins/authentication.ts'
import { clientOf, hintOf } from '../plugins/client.ts'
import { renewSessionCookie } from '../plugins/sessioncookie.ts'
import { isRefused, sendRefused } from '../refusal.ts'
import { bodyOf } from './body.ts'
import { email, mailedToken, newPassword, organizationName } from './field.ts'
import type { PeopleRouteOptions } from './options.ts'

export const resetRequest = z.strictObject({ organization: organizationName.optional(), email })
export const resetConfirmation = z.strictObject({ token: mailedToken, password: newPassword })
export const passwordChange = z.strictObject({
  current: z.string().min(1).max(4096).describe('The current password.'),
  password: newPassword.describe('The new one.'),
})

/** New passwords. In a context that takes JSON. */
export function registerPasswords(context: FastifyInstance, options: PeopleRouteOptions): void {
  const { addresses } = options
  const { passwords } = options.people

  context.post('/api/auth/password-reset/request', async (request, reply) => {
    const body = bodyOf(request, resetRequest)
    const outcome = await passwords.requestReset({
      organization: hintOf(request, body.organization),
      email: body.email,
      client: clientOf(request, addresses),
    })
    return reply.code(202).send(outcome)
  })

  context.post('/api/auth/password-reset/confirm', async (request, reply) => {
    const { token, password } = bodyOf(request, resetConfirmation)
    const outcome = await passwords.reset(token, password, clientOf(request, addresses))
    return isRefused(outcome) ? sendRefused(reply, outcome) : outcome
  })

  context.post(
    '/api/auth/password',
    { onRequest: requirePerson(options) },
    async (request, reply) => {
      const { current, password } = bodyOf(request, passwordChange)
      const client = clientOf(request, addresses)
      const outcome = await passwords.change(personOf(request), current, password, client)
      if (isRefused(outcome)) return sendRefused(reply, outcome)
      if (outcome.cookie !== undefined) renewSessionCookie(reply, outcome.cookie)
      return reply.code(204).send()
    },
  )
}
