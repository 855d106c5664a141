import type { IncomingMessage, ServerResponse } from 'node:http'
import { type AuthLog, reasonOf } from '../log.ts'
import type { ProblemCode } from '../problem.ts'
import type { RequestIds } from '../requestid.ts'
import type { SessionMoves } from '../session/moves.ts'
import { answerAllowed, answerProblem } from './answer.ts'
import { discardBody } from './body.ts'
import type { ClientAddresses } from './clientaddress.ts'
import type { DenialLog } from './denials.ts'
import type { Judge, Verdict } from './judge.ts'
import { noQuestion, type Question, type Questions } from './question.ts'
import { UnavailableError } from './readthrough.ts'
import { type RequestHeaders, readRequestHeaders } from './requestheaders.ts'
import type { CheckStatistics } from './statistics.ts'

export interface CheckOptions {
  readonly judge: Judge
  readonly addresses: ClientAddresses
  readonly questions: Questions
  readonly requestIds: RequestIds
  readonly statistics: CheckStatistics
  readonly denials: DenialLog
  /** Told from where sessions are used; undefined where nobody signs in. */
  readonly moves: Pick<SessionMoves, 'saw'> | undefined
  readonly log: AuthLog
  /** Bytes. */
  readonly bodyLimit: number
  /** Whether connections end with their next answer. */
  readonly draining: () => boolean
}

/** What is known of a request while it is judged. */
interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly headers: RequestHeaders
  /** The client's; undefined when it cannot be told. */
  readonly address: string | undefined
  readonly fromProxy: boolean
  readonly requestId: string
  readonly started: number | undefined
}

const path = '/check'
export const checkMethods = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'

/** Whether a request is for `/check` itself or, from Envoy, for `/check/` with the original path behind it. */
export function isCheck(url: string): boolean {
  if (!url.startsWith(path)) return false
  const next = url[path.length]
  return next === undefined || next === '?' || next === '/'
}

/** Answers `/check`. It bypasses the framework, hooks and JSON: what is spent here, every request of a company pays. */
export class CheckHandler {
  readonly #options: CheckOptions

  constructor(options: CheckOptions) {
    this.#options = options
  }

  /** Never throws: whatever goes wrong is answered. */
  handle(request: IncomingMessage, response: ServerResponse): void {
    const { statistics, addresses, requestIds, bodyLimit } = this.#options
    const headers = readRequestHeaders(request.rawHeaders)
    const peer = addresses.peer(request.socket)
    const exchange: Exchange = {
      request,
      response,
      headers,
      address: addresses.client(peer, headers.forwardedFor),
      fromProxy: peer.trusted,
      requestId: requestIds.next(peer.trusted ? headers.requestId : undefined),
      started: statistics.begin(),
    }
    if (!headers.hasBody) {
      this.#judge(exchange)
      return
    }
    discardBody(request, bodyLimit).then(
      (within) => (within ? this.#judge(exchange) : this.#deny(exchange, 'body_too_large')),
      () => response.destroy(),
    )
  }

  #judge(exchange: Exchange): void {
    try {
      const { request, headers, address } = exchange
      if (request.method === 'TRACE') return this.#deny(exchange, 'method_not_allowed')
      const question = this.#question(request.url ?? '')
      if (question === undefined) return this.#deny(exchange, 'bad_question')
      const verdict = this.#options.judge.judge(headers, address, question)
      if (!(verdict instanceof Promise)) return this.#answer(exchange, question, verdict)
      verdict
        .then((late) => this.#answer(exchange, question, late))
        .catch((error: unknown) => this.#fail(exchange, error))
    } catch (error) {
      this.#fail(exchange, error)
    }
  }

  /** Envoy appends the client's own path and query to `/check/`: only `/check` itself asks questions. */
  #question(url: string): Question | undefined {
    if (url.length === path.length || url[path.length] === '/') return noQuestion
    return this.#options.questions.read(url.slice(path.length + 1))
  }

  #answer(exchange: Exchange, question: Question, verdict: Verdict): void {
    if (verdict.code !== 'allowed') {
      return this.#deny(exchange, verdict.code, verdict, question)
    }
    const { request, response, requestId, started } = exchange
    const { statistics, draining } = this.#options
    answerAllowed(response, verdict, { requestId, close: draining() })
    statistics.end(started, request.method, 'allowed')
    if (verdict.credential.kind === 'User') this.#noteSighting(exchange, verdict.credential.id)
  }

  /** An application that asks by itself tells its own address, and not its user's. */
  #noteSighting({ headers, address, fromProxy, requestId }: Exchange, sessionId: string): void {
    if (!fromProxy || address === undefined) return
    const { userAgent } = headers
    this.#options.moves?.saw(sessionId, { address, userAgent, requestId })
  }

  #fail(exchange: Exchange, error: unknown): void {
    if (error instanceof UnavailableError) return this.#deny(exchange, 'unavailable')
    const { response, requestId } = exchange
    this.#options.log.error({ requestId, error: reasonOf(error) }, 'a check failed')
    if (response.headersSent) response.destroy()
    else this.#deny(exchange, 'internal')
  }

  #deny(
    exchange: Exchange,
    code: ProblemCode,
    { credential, quota }: Pick<Verdict, 'credential' | 'quota'> = {},
    { scopes } = noQuestion,
  ): void {
    const { request, response, headers, address, fromProxy, requestId, started } = exchange
    const { statistics, denials, draining } = this.#options
    // What is left of a body would be taken for the next request.
    const close = draining() || (headers.hasBody && !request.complete)
    const allow = code === 'method_not_allowed' ? checkMethods : undefined
    answerProblem(response, code, { requestId, close, quota, scopes, allow })
    statistics.end(started, request.method, code)
    const original = fromProxy ? request : undefined
    denials.write({ requestId, code, address, credential, original }, Date.now())
  }
}
