import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { challengeFor } from './check/answer.ts'
import { UnavailableError } from './check/readthrough.ts'
import { InvalidRequestError } from './form.ts'
import type { Refused } from './people.ts'
import { type ProblemCode, problem, problemMediaType, statusOf } from './problem.ts'

/** What more is said of a problem. */
export interface RefusalDetail {
  /** Seconds after which to come again. */
  readonly retryAfter?: number | undefined
  /** For people. */
  readonly details?: readonly string[] | undefined
}

/** A request is turned away, from within a hook or a handler. JSON and pages answer it each in their own way. */
export class RefusalError extends Error {
  override readonly name = 'RefusalError'
  readonly code: ProblemCode
  readonly detail: RefusalDetail

  constructor(code: ProblemCode, detail: RefusalDetail = {}) {
    super(code)
    this.code = code
    this.detail = detail
  }
}

/** The problem that an error is answered with. Public text and internal text are kept apart: of an error, only its kind is told. */
export function codeOf(error: FastifyError): ProblemCode {
  if (error instanceof RefusalError) return error.code
  if (error instanceof UnavailableError) return 'unavailable'
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') return 'body_too_large'
  if (error.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return 'unsupported_media_type'
  const status = error.statusCode ?? 500
  return error.validation || (status >= 400 && status < 500) ? 'invalid_request' : 'internal'
}

/** What more is said of it. */
export function detailOf(error: Error): RefusalDetail {
  if (error instanceof InvalidRequestError) return { details: error.details }
  return error instanceof RefusalError ? error.detail : {}
}

/** What to do about a refusal, where that is the same whoever refuses. */
const remedies: Partial<Readonly<Record<ProblemCode, readonly string[]>>> = {
  account_locked: [
    'There were too many wrong passwords or codes. Wait for as long as Retry-After says.',
    'A new password, by the link of the mail of a password reset, lifts the lock of an account at once.',
  ],
}

const refusals = new WeakMap<FastifyRequest, ProblemCode>()

/** Has it known to the log that a request was refused. */
export function noteRefusal(request: FastifyRequest, code: ProblemCode): void {
  refusals.set(request, code)
}

/** Why a request was refused; undefined when it was not. */
export function refusalOf(request: FastifyRequest): ProblemCode | undefined {
  return refusals.get(request)
}

/** Whether what a service of people answered is a refusal. */
export function isRefused<Code extends ProblemCode>(
  outcome: object | undefined,
): outcome is Refused<Code> {
  return outcome !== undefined && 'refused' in outcome
}

/** Answers with a problem (RFC 9457). */
export function sendProblem(
  reply: FastifyReply,
  code: ProblemCode,
  { retryAfter, details = remedies[code] }: RefusalDetail = {},
): FastifyReply {
  noteRefusal(reply.request, code)
  const challenge = challengeFor(code === 'sign_in_failed' ? 'credential_missing' : code)
  if (challenge !== undefined) reply.header('www-authenticate', challenge)
  const seconds = retryAfter ?? (statusOf(code) === 503 ? 1 : undefined)
  if (seconds !== undefined) reply.header('retry-after', seconds)
  const { id } = reply.request
  return reply
    .code(statusOf(code))
    .type(problemMediaType)
    .send(problem(code, id, details))
}

/** Answers with the problem that a service of people refused with. */
export function sendRefused(reply: FastifyReply, refused: Refused<ProblemCode>): FastifyReply {
  return sendProblem(reply, refused.refused, refused)
}
