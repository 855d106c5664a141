import type { FastifyRequest } from 'fastify'
import { InvalidRequestError } from '../../form.ts'

/** Characters: longer than any field takes, so that what is merely too long gets a sentence of its own. */
const longest = 4096

/**
 * The fields of a form, empty where they were left out.
 * @throws InvalidRequestError for a field that the form does not have, and for what cannot be stored: our forms send neither
 */
export function fieldsOf<Name extends string>(
  request: FastifyRequest,
  names: readonly Name[],
): Readonly<Record<Name, string>> {
  const body = request.body ?? {}
  const sent = Object.entries(body as Readonly<Record<string, string>>)
  for (const [name, value] of sent) {
    if (!(names as readonly string[]).includes(name))
      throw new InvalidRequestError('A field is not known here.')
    if (value.length > longest || value.includes('\0'))
      throw new InvalidRequestError('A field is too long.')
  }
  const given = new Map(sent)
  return Object.fromEntries(names.map((name) => [name, given.get(name) ?? ''])) as Record<
    Name,
    string
  >
}

/** One parameter of the query; undefined when it is not there, or there twice. */
export function queryOf(request: FastifyRequest, name: string): string | undefined {
  const value = (request.query as Readonly<Record<string, unknown>>)[name]
  return typeof value === 'string' ? value : undefined
}
