import type { FastifyRequest } from 'fastify'
import type { z } from 'zod'
import { InvalidRequestError } from '../form.ts'
import { objectionsOf } from './objection.ts'

/**
 * The body of a request, as its schema reads it.
 * @throws InvalidRequestError when it is anything else
 */
export function bodyOf<Schema extends z.ZodType>(
  { body }: FastifyRequest,
  schema: Schema,
): z.infer<Schema> {
  return readAs(schema, body)
}

/**
 * A body or a query, as its schema reads it.
 * @throws InvalidRequestError when it is anything else
 */
export function readAs<Schema extends z.ZodType>(schema: Schema, value: unknown): z.infer<Schema> {
  const parsed = schema.safeParse(value)
  if (!parsed.success) throw new InvalidRequestError(...objectionsOf(parsed.error, value))
  return parsed.data
}

/** @throws InvalidRequestError when there is a body that says something: on a route that takes none */
export function expectNoBody({ body }: FastifyRequest): void {
  if (body === undefined || body === null) return
  if (typeof body === 'object' && Object.keys(body).length === 0) return
  throw new InvalidRequestError('This route takes no body.')
}
