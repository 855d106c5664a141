import type { Server } from 'node:http'
import fastify, { type FastifyError, type FastifyInstance } from 'fastify'
import type { ClientAddresses } from './check/clientaddress.ts'
import { DenialLog } from './check/denials.ts'
import { type CheckHandler, checkMethods } from './check/handler.ts'
import type { Identities } from './check/identities.ts'
import type { Judge } from './check/judge.ts'
import { answerClientError } from './clienterror.ts'
import type { WallClock } from './clock.ts'
import type { Credential } from './index/credential.ts'
import type { Jwks } from './jwks.ts'
import { type AuthLog, reasonOf } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { People } from './people.ts'
import { registerAuthentication } from './plugins/authentication.ts'
import { addressOf } from './plugins/client.ts'
import { registerPreflight, registerSharing } from './plugins/cors.ts'
import { registerEmptyBodies } from './plugins/emptybody.ts'
import { bareHeaders, registerHeaders } from './plugins/headers.ts'
import { Hosts } from './plugins/hosts.ts'
import { registerOriginCheck } from './plugins/origin.ts'
import { registerPlainRefusal } from './plugins/transport.ts'
import type { Windows } from './ratelimit/window.ts'
import { codeOf, detailOf, refusalOf, sendProblem } from './refusal.ts'
import type { RequestIds } from './requestid.ts'
import { registerIntrospection } from './routes/introspection.ts'
import { registerJwks } from './routes/jwks.ts'
import { registerOpenApi } from './routes/openapi/document.ts'
import { sendProblemTo } from './routes/page/problem.ts'
import { registerPeople } from './routes/people.ts'
import { registerProviderCredentials } from './routes/providercredential.ts'
import { createPublicServer } from './server.ts'
import type { Vault } from './vault/vault.ts'

export interface AppOptions {
  readonly check: CheckHandler
  readonly judge: Judge
  readonly identities: Identities
  /** Whether any organization names an origin as one of its own. */
  readonly isOrigin: (origin: string) => boolean
  readonly clock: WallClock
  readonly addresses: ClientAddresses
  readonly denials: DenialLog
  readonly requestIds: RequestIds
  readonly metrics: Pick<Metrics, 'countRequest'>
  readonly jwks: Jwks
  readonly vault: Vault | undefined
  /** Undefined where nobody signs in. */
  readonly people: PeoplesSurface | undefined
  readonly log: AuthLog
  /** Bytes. */
  readonly bodyLimit: number
  readonly version: string
  readonly draining: () => boolean
}

/** The services of people, and where they reach us. */
interface PeoplesSurface {
  readonly people: People
  /** An origin. */
  readonly publicUrl: string
  readonly organizationHosts: string | undefined
  /** Where whoever is not signed in is counted. */
  readonly windows: Windows
  /** Has the queue of mails looked at. */
  wakeMail(): void
}

export interface App {
  readonly server: Server
  readonly framework: FastifyInstance
}

/** Puts the public HTTP surface together; whoever gets it lets the server listen. */
export async function createApp(options: AppOptions): Promise<App> {
  let server: Server | undefined
  const framework = fastify({
    serverFactory: (listener) => {
      server = createPublicServer(options.check, listener)
      return server
    },
    bodyLimit: options.bodyLimit,
    // What a body says too much is refused, not dropped without a word.
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, useDefaults: false } },
    genReqId: ({ headers, socket }) => {
      const proposed = headers['x-request-id']
      const believed = options.addresses.peer(socket).trusted && typeof proposed === 'string'
      return options.requestIds.next(believed ? proposed : undefined)
    },
    return503OnClosing: false,
    frameworkErrors: (_error, request, reply) => {
      sendProblem(reply.headers({ ...bareHeaders, 'x-request-id': request.id }), 'invalid_request')
    },
    clientErrorHandler: (error, socket) => {
      answerClientError(error, socket, options.requestIds.next(undefined))
    },
  })
  framework.removeAllContentTypeParsers()
  registerHeaders(framework)
  registerEmptyBodies(framework)
  describeResponses(framework, options)
  registerAuthentication(framework)
  logRefusals(framework, options)
  registerRoutes(framework, options)
  await framework.ready()
  if (server === undefined) throw new Error('the framework made no server')
  return { server, framework }
}

function registerRoutes(framework: FastifyInstance, options: AppOptions): void {
  const { people } = options
  const hosts = people && new Hosts(people.publicUrl, people.organizationHosts)
  void framework.register(async (context) => {
    if (hosts) registerPlainRefusal(context, { ...options, hosts })
    registerOriginCheck(context, { hosts, whose: 'signed-in', takes: 'forms' })
    registerSharing(context)
    registerIntrospection(context, options)
    registerProviderCredentials(context, options)
    registerJwks(context, options)
    registerOpenApi(context, { version: options.version, people: people !== undefined })
  })
  void framework.register((context) => registerPreflight(context, options))
  if (people && hosts) registerPeople(framework, { ...options, ...people, hosts })
}

function describeResponses(framework: FastifyInstance, options: AppOptions): void {
  const methods = new Map<string, string[]>([['/check', checkMethods.split(', ')]])
  // Whoever looks at pages is told on a page.
  const answer: typeof sendProblemTo = options.people
    ? sendProblemTo
    : (_request, reply, code, detail) => sendProblem(reply, code, detail)
  framework.addHook('onRoute', ({ url, method }) => {
    methods.set(url, [...(methods.get(url) ?? []), ...[method].flat()])
  })
  framework.addHook('onRequest', async (request, reply) => {
    reply.headers({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-request-id': request.id,
    })
  })
  // When it answers, not when it is asked: a slow request may span the signal.
  framework.addHook('onSend', async (_request, reply) => {
    if (options.draining()) reply.header('connection', 'close')
  })
  framework.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'unmatched'
    options.metrics.countRequest(route, request.method, reply.statusCode)
  })
  framework.setNotFoundHandler((request, reply) => {
    const allowed = methods.get(request.url.split('?', 1)[0] ?? '')
    if (allowed === undefined) return answer(request, reply, 'not_found')
    return answer(request, reply.header('allow', allowed.join(', ')), 'method_not_allowed')
  })
  framework.setErrorHandler<FastifyError>((error, request, reply) => {
    const code = codeOf(error)
    if (code === 'internal') {
      options.log.error({ requestId: request.id, error: reasonOf(error) }, 'a request failed')
    }
    return answer(request, reply, code, detailOf(error))
  })
}

/** Writes down who was refused what and why, so that a request can be found by the id that its answer bore. What fails is logged where it does. */
function logRefusals(framework: FastifyInstance, { addresses, log }: AppOptions): void {
  // A budget of its own: what is refused here must not hide what the check denies.
  const refusals = new DenialLog(log)
  framework.addHook('onSend', async (request) => {
    const code = refusalOf(request)
    if (code === undefined || code === 'internal') return
    const session = request.getDecorator<Credential | null>('session')
    const caller = request.getDecorator<Credential | null>('caller')
    const { method, url } = request.routeOptions
    const refusal = {
      requestId: request.id,
      code,
      address: addressOf(request, addresses),
      credential: session ?? caller ?? undefined,
      route: url === undefined ? undefined : `${[method].flat().join(', ')} ${url}`,
    }
    refusals.write(refusal, Date.now())
  })
}
