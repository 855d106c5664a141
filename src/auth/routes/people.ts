import cookie from '@fastify/cookie'
import type { FastifyInstance } from 'fastify'
import { registerSharing } from '../plugins/cors.ts'
import type { Hosts } from '../plugins/hosts.ts'
import { registerJson } from '../plugins/json.ts'
import { registerOriginCheck } from '../plugins/origin.ts'
import { registerRateLimits } from '../plugins/ratelimit.ts'
import { registerTransportCheck } from '../plugins/transport.ts'
import type { Windows } from '../ratelimit/window.ts'
import { registerInvitations } from './invitation.ts'
import { registerMe, registerMembers } from './member.ts'
import type { PageOptions } from './page/options.ts'
import { registerPages } from './page/pages.ts'
import { registerPasswords } from './password.ts'
import { registerRegistration } from './registration.ts'
import { registerSessions } from './session.ts'
import { registerSignIn } from './signin.ts'
import { registerRefresh, registerRevocation } from './token.ts'

export interface PeopleSurfaceOptions extends PageOptions {
  readonly hosts: Hosts
  readonly windows: Windows
  /** Has the queue of mails looked at. */
  wakeMail(): void
}

/** The routes of people: the HTTP API, which takes JSON and nothing else, and the pages, which take forms. */
export function registerPeople(framework: FastifyInstance, options: PeopleSurfaceOptions): void {
  void framework.register(async (api) => {
    registerJson(api)
    await registerEdges(api, options, { whose: 'everybody', takes: 'json' })
    registerSharing(api)
    registerSignIn(api, options)
    registerRegistration(api, options)
    registerPasswords(api, options)
    registerSessions(api, options)
    registerRefresh(api, options)
    registerMe(api, options)
    registerMembers(api, options)
    registerInvitations(api, options)
  })
  void framework.register(async (pages) => {
    pages.removeAllContentTypeParsers()
    await registerEdges(pages, options, { whose: 'everybody', takes: 'forms' })
    registerPages(pages, options)
  })
  void framework.register(async (programs) => {
    programs.removeAllContentTypeParsers()
    // Programs send the form of RFC 7009, and what is in it is its credential: no other site can know it.
    await registerEdges(programs, options, { whose: 'signed-in', takes: 'forms' })
    registerRevocation(programs, options)
  })
}

async function registerEdges(
  context: FastifyInstance,
  options: PeopleSurfaceOptions,
  surface: Pick<Parameters<typeof registerOriginCheck>[1], 'whose' | 'takes'>,
): Promise<void> {
  await context.register(cookie)
  registerTransportCheck(context, options)
  registerOriginCheck(context, { hosts: options.hosts, ...surface })
  await registerRateLimits(context, options)
  // After every change, whether it wrote a mail or not: what is done for those who have an account is done for all.
  context.addHook('onResponse', async ({ method }) => {
    if (method !== 'GET' && method !== 'HEAD') options.wakeMail()
  })
}
