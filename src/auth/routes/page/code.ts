import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Fault } from '../../../web/form.ts'
import { codePage } from '../../../web/signin.ts'
import { clientOf, hintOf } from '../../plugins/client.ts'
import { isRefused } from '../../refusal.ts'
import { faultsOf, missing, sendFaulty } from './fault.ts'
import { fieldsOf } from './fields.ts'
import type { PageOptions } from './options.ts'
import { organizationOfHost } from './organization.ts'
import { redirect } from './person.ts'
import { sendPage } from './problem.ts'
import { enter } from './signin.ts'
import {
  announce,
  keepChallenge,
  readChallenge,
  readSignIn,
  readSignInOf,
  type SignInState,
  takeNotice,
} from './state.ts'

/** Signing in by a code that is sent by mail. */
export function registerCode(context: FastifyInstance, options: PageOptions): void {
  const { people, addresses, organizationHosts } = options
  const page = (
    request: FastifyRequest,
    { organization, email }: SignInState,
    more: { faults?: readonly Fault[]; notice?: string | undefined },
  ) => {
    const shown = organizationOfHost(request, organizationHosts) ?? organization
    const { faults = [], notice } = more
    return codePage({ organization: shown, email, faults, notice })
  }
  context.post('/login/code/request', async (request, reply) => {
    const state = readSignInOf(request, fieldsOf(request, ['email']).email)
    if (!state) return redirect(reply, '/login')
    const sent = await people.signIn.requestCode({
      organization: hintOf(request, state.organization),
      email: state.email,
      client: clientOf(request, addresses),
    })
    if (isRefused(sent))
      return sendFaulty(reply, page(request, state, { faults: faultsOf(sent) }), sent)
    if (readChallenge(request) !== undefined) announce(reply, 'code_sent')
    keepChallenge(reply, sent.challenge)
    return redirect(reply, '/login/code')
  })
  context.get('/login/code', async (request, reply) => {
    const state = readSignIn(request)
    if (!state || readChallenge(request) === undefined) return redirect(reply, '/login')
    return sendPage(reply, page(request, state, { notice: takeNotice(request, reply) }))
  })
  context.post('/login/code', async (request, reply) => {
    const form = fieldsOf(request, ['code'])
    const [state, challenge] = [readSignIn(request), readChallenge(request)]
    if (!state || challenge === undefined) return redirect(reply, '/login')
    // As people copy it: `123 456`.
    const code = form.code.replaceAll(/[\s-]/g, '')
    const faults = missing('code', code, 'the code of the mail')
    if (faults.length > 0) return sendFaulty(reply, page(request, state, { faults }))
    const client = clientOf(request, addresses)
    const started = await people.signIn.withCode({ challenge, code, kind: 'browser', client })
    if (!isRefused(started)) return enter(reply, started, state.returnTo, options)
    const wrong = { field: 'code', message: 'This code is not right, or not any more.' }
    const told = started.refused === 'sign_in_failed' ? [wrong] : faultsOf(started)
    return sendFaulty(reply, page(request, state, { faults: told }), started)
  })
}
