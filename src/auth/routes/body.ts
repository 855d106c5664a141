import type { FastifyRequest } from 'fastify'
import type { z } from 'zod'
import { InvalidRequestError } from '../form.ts'

/**
 * The body of a request, as its schema reads it.
 * @throws InvalidRequestError when it is anything else
 */
export function bodyOf<Schema extends z.ZodType>(
  { body }: FastifyRequest,
  schema: Schema,
): z.infer<Schema> {
  const parsed = schema.safeParse(body)
  if (!parsed.success) throw new InvalidRequestError('the body is none of this route')
  return parsed.data
}

/** @throws InvalidRequestError when there is a body that says something: on a route that takes none */
export function expectNoBody({ body }: FastifyRequest): void {
  if (body === undefined || body === null) return
  if (typeof body === 'object' && Object.keys(body).length === 0) return
  throw new InvalidRequestError('this route takes no body')
}
