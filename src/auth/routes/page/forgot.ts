import type { FastifyInstance, FastifyRequest } from 'fastify'
import { forgotPage } from '../../../web/forgot.ts'
import type { Fault } from '../../../web/form.ts'
import type { Identification } from '../../../web/identification.ts'
import { mailSentPage } from '../../../web/register.ts'
import { clientOf, hintOf } from '../../plugins/client.ts'
import { readEmail, sendFaulty } from './fault.ts'
import { fieldsOf } from './fields.ts'
import type { PageOptions } from './options.ts'
import { organizationOfHost, readOrganization } from './organization.ts'
import { redirect } from './person.ts'
import { sendPage } from './problem.ts'
import { readSignIn } from './state.ts'

/** Asking for a link to choose a new password. The answer is the same whoever asks. */
export function registerForgot(context: FastifyInstance, options: PageOptions): void {
  const { people, addresses, organizationHosts } = options
  const page = (request: FastifyRequest, typed: Identification, faults: readonly Fault[]) => {
    const ofHost = organizationOfHost(request, organizationHosts)
    const organization = ofHost ?? typed.organization
    const organizationKnown = ofHost !== undefined
    return forgotPage({ organization, organizationKnown, email: typed.email, faults })
  }
  context.get('/forgot', async (request, reply) => {
    const typed = readSignIn(request) ?? { organization: '', email: '' }
    return sendPage(reply, page(request, typed, []))
  })
  context.post('/forgot', async (request, reply) => {
    const form = fieldsOf(request, ['email', 'organization'])
    const { email, ...addressed } = readEmail(form.email)
    const { organization, ...named } = readOrganization(form.organization)
    const faults = [...addressed.faults, ...named.faults]
    if (faults.length > 0) {
      return sendFaulty(reply, page(request, { organization, email }, faults))
    }
    const hint = hintOf(request, organization)
    const client = clientOf(request, addresses)
    await people.passwords.requestReset({ organization: hint, email, client })
    return redirect(reply, '/forgot/sent')
  })
  context.get('/forgot/sent', async (_request, reply) => {
    const sentence =
      'If the address has an account, a link to choose a new password is on its way to it. It is good for an hour.'
    return sendPage(reply, mailSentPage('Look into your mail', sentence))
  })
}
