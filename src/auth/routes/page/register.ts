import type { FastifyInstance } from 'fastify'
import type { Fault } from '../../../web/form.ts'
import { mailSentPage, registerPage } from '../../../web/register.ts'
import { clientOf } from '../../plugins/client.ts'
import { isRefused, RefusalError } from '../../refusal.ts'
import { faultsOf, missing, readEmail, sendFaulty } from './fault.ts'
import { fieldsOf } from './fields.ts'
import type { PageOptions } from './options.ts'
import { readOrganization } from './organization.ts'
import { redirect } from './person.ts'
import { sendPage } from './problem.ts'

const names = ['display_name', 'organization', 'name', 'email', 'password'] as const
const empty = { display_name: '', organization: '', name: '', email: '', password: '' }

/** Registering an organization and its first owner; where the installation does not allow it, there is no such page. */
export function registerRegistration(
  context: FastifyInstance,
  { people, addresses }: PageOptions,
): void {
  const page = async (form: typeof empty, faults: readonly Fault[]) => {
    const rules = await people.passwords.rules(undefined)
    return registerPage({ ...form, displayName: form.display_name, rules, faults })
  }
  const open = async () => {
    if (!people.registration.allowed) throw new RefusalError('not_found')
  }
  context.get('/register', { onRequest: open }, async (_request, reply) => {
    return sendPage(reply, await page(empty, []))
  })
  context.post('/register', { onRequest: open }, async (request, reply) => {
    const form = fieldsOf(request, names)
    const { organization, ...named } = readOrganization(form.organization)
    const { email, ...addressed } = readEmail(form.email)
    const [displayName, name] = [form.display_name.trim(), form.name.trim()]
    const typed = { ...form, organization, email, name, display_name: displayName, password: '' }
    const faults = [
      ...missing('display_name', displayName, 'the name of the organization'),
      ...missing('organization', organization, 'a short name'),
      ...named.faults,
      ...missing('name', name, 'your name'),
      ...addressed.faults,
      ...missing('password', form.password, 'a password'),
    ]
    if (faults.length > 0) return sendFaulty(reply, await page(typed, faults))
    const { password } = form
    const client = clientOf(request, addresses)
    const request_ = { organization, displayName, email, name, password, client }
    const registered = await people.registration.register(request_)
    if (!isRefused(registered)) return redirect(reply, '/register/sent')
    return sendFaulty(reply, await page(typed, faultsOf(registered)), registered)
  })
  context.get('/register/sent', { onRequest: open }, async (_request, reply) => {
    const sentence =
      'We have sent you a mail. Open its link within a day to confirm your address; your organization is ready then.'
    return sendPage(reply, mailSentPage('Look into your mail', sentence))
  })
}
