import type { FastifyReply, FastifyRequest } from 'fastify'
import { problemPage } from '../../../web/problem.ts'
import { type ProblemCode, statusOf } from '../../problem.ts'
import { noteRefusal, type RefusalDetail, sendProblem } from '../../refusal.ts'

/** Answers with a problem: somebody gets a page, a program JSON. */
export function sendProblemTo(
  request: FastifyRequest,
  reply: FastifyReply,
  code: ProblemCode,
  detail: RefusalDetail = {},
): FastifyReply {
  if (!request.headers.accept?.includes('text/html')) return sendProblem(reply, code, detail)
  noteRefusal(request, code)
  const status = statusOf(code)
  const retryAfter = detail.retryAfter ?? (status === 503 ? 1 : undefined)
  if (retryAfter !== undefined) reply.header('retry-after', retryAfter)
  const { retryAfter: said } = detail
  return sendPage(reply, problemPage({ status, retryAfter: said, requestId: request.id }), status)
}

export function sendPage(reply: FastifyReply, page: string, status = 200): FastifyReply {
  return reply.code(status).type('text/html; charset=utf-8').send(page)
}
