import { z } from 'zod'
import { formMediaType } from '../../form.ts'
import { type ProblemCode, problemMediaType, statusOf } from '../../problem.ts'

/** One way to ask at one path. */
export interface Described {
  /** Unique among all. */
  readonly id: string
  readonly summary: string
  readonly description?: string
  /** Who may ask: anybody, a person who is signed in, or a program with an API key. */
  readonly by: 'anybody' | 'person' | 'program'
  readonly parameters?: readonly object[]
  readonly json?: z.ZodType
  readonly form?: z.ZodType
  /** By status: what it means, and what its JSON is. */
  readonly answers: Readonly<Record<number, string | readonly [string, z.ZodType]>>
  readonly problems: readonly ProblemCode[]
}

export type Paths = Readonly<Record<string, Readonly<Record<string, object>>>>

const security = {
  anybody: [],
  person: [{ cookie: [] }, { bearer: [] }],
  program: [{ apiKey: [] }, { bearer: [] }],
} as const

/** An operation of OpenAPI 3.1. */
export function operation(described: Described): object {
  const { id, summary, description, by, parameters: all, json: body, form, answers } = described
  const content = body
    ? json(schemaOf(body))
    : form && { [formMediaType]: { schema: schemaOf(form) } }
  return {
    operationId: id,
    summary,
    ...(description !== undefined && { description }),
    security: security[by],
    ...(all && { parameters: all }),
    ...(content && { requestBody: { required: true, content } }),
    responses: {
      ...Object.fromEntries(
        Object.entries(answers).map(([status, answer]) => [status, response(answer)]),
      ),
      ...problems(described.problems),
    },
  }
}

function response(answer: string | readonly [string, z.ZodType]): object {
  if (typeof answer === 'string') return { description: answer }
  const [description, schema] = answer
  return { description, content: json(schemaOf(schema)) }
}

/** One answer for each status; which codes it may have is in its description. */
export function problems(codes: readonly ProblemCode[]): Record<number, object> {
  const byStatus = Map.groupBy(new Set(codes), statusOf)
  return Object.fromEntries(
    [...byStatus].map(([status, alike]) => [
      status,
      {
        description: alike.join(', '),
        content: { [problemMediaType]: { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    ]),
  )
}

export function parameters(
  described: Readonly<Record<string, string>>,
  place: 'query' | 'path',
): object[] {
  return Object.entries(described).map(([name, description]) => ({
    name,
    in: place,
    required: place === 'path',
    description,
    schema: { type: 'string' },
  }))
}

export function json(schema: object): object {
  return { 'application/json': { schema } }
}

export function schemaOf(schema: z.ZodType): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { target: 'draft-2020-12', io: 'output' })
  return rest
}
