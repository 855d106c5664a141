import formbody from '@fastify/formbody'
import type { FastifyInstance } from 'fastify'
import { readForm } from '../../form.ts'
import { registerAccount } from './account.ts'
import { registerAssets } from './asset.ts'
import { registerCode } from './code.ts'
import { registerForgot } from './forgot.ts'
import { registerMembers } from './members.ts'
import { registerOneTimeLinks } from './onetimelink.ts'
import type { PageOptions } from './options.ts'
import { redirect, requireSignedIn, sessionOf } from './person.ts'
import { registerRegistration } from './register.ts'
import { registerSignIn } from './signin.ts'

/** Bytes: the longest form is a registration. */
const bodyLimit = 16_384

/**
 * The pages of people: they need no script, take forms alone, and answer each of them by sending the browser on.
 * @param context one that knows cookies and the caller's host, and takes no other media type
 */
export function registerPages(context: FastifyInstance, options: PageOptions): void {
  void context.register(formbody, { bodyLimit, parser: readForm })
  registerAssets(context)
  context.get('/', async (request, reply) => {
    return redirect(reply, (await sessionOf(request, options)) ? '/account' : '/login')
  })
  // Where password managers look (W3C, A Well-Known URL for Changing Passwords).
  context.get('/.well-known/change-password', async (_request, reply) => {
    return redirect(reply, '/account/password')
  })
  registerSignIn(context, options)
  registerCode(context, options)
  registerRegistration(context, options)
  registerOneTimeLinks(context, options)
  registerForgot(context, options)
  void context.register(async (signedIn) => {
    signedIn.addHook('onRequest', requireSignedIn(options))
    registerAccount(signedIn, options)
    registerMembers(signedIn, options)
  })
}
