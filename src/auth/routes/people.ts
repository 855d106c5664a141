import cookie from '@fastify/cookie'
import type { FastifyInstance } from 'fastify'
import type { Hosts } from '../plugins/hosts.ts'
import { registerOriginCheck } from '../plugins/origin.ts'
import { registerTransportCheck } from '../plugins/transport.ts'
import type { PeopleRouteOptions } from './options.ts'

/** The routes of people: the HTTP API, which takes JSON and nothing else, and the pages, which take forms. */
export function registerPeople(
  framework: FastifyInstance,
  options: PeopleRouteOptions & { readonly hosts: Hosts },
): void {
  void framework.register(async (context) => {
    const json = context.getDefaultJsonParser('error', 'error')
    context.removeAllContentTypeParsers()
    context.addContentTypeParser('application/json', { parseAs: 'string' }, json)
    registerEdges(context, options)
  })
  void framework.register(async (context) => {
    context.removeAllContentTypeParsers()
    registerEdges(context, options)
  })
}

function registerEdges(
  context: FastifyInstance,
  options: PeopleRouteOptions & { readonly hosts: Hosts },
): void {
  void context.register(cookie)
  registerTransportCheck(context, options)
  registerOriginCheck(context, { ...options, whose: 'everybody' })
}
