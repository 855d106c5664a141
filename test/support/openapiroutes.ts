import type { Loose } from './kube.ts'

/** A route as the description of the auth service has it. */
export interface DescribedRoute {
  readonly method: string
  /** `/api/members/{id}` */
  readonly path: string
  readonly by: 'anybody' | 'person' | 'program'
  readonly pathParameters: readonly string[]
  readonly queryParameters: readonly string[]
  /** Of the body, where there is one. */
  readonly media: 'application/json' | 'application/x-www-form-urlencoded' | undefined
  readonly schema: Loose
}

/** Every route that `/openapi.json` describes, but the check, which is for any path. */
export async function describedRoutes(url: string): Promise<readonly DescribedRoute[]> {
  const { paths } = (await (await fetch(`${url}/openapi.json`)).json()) as Loose
  return Object.entries<Loose>(paths).flatMap(([path, methods]) =>
    Object.entries<Loose>(methods).map(([method, operation]) => {
      const [media, content] = Object.entries<Loose>(operation.requestBody?.content ?? {})[0] ?? []
      const named = (place: string): readonly string[] =>
        (operation.parameters ?? [])
          .filter((parameter: Loose) => parameter.in === place)
          .map(({ name }: Loose) => name)
      return {
        method: method.toUpperCase(),
        path,
        by: whoseOf(operation.security),
        pathParameters: named('path'),
        queryParameters: named('query'),
        media: media as DescribedRoute['media'],
        schema: content?.schema,
      }
    }),
  )
}

function whoseOf(security: readonly object[]): DescribedRoute['by'] {
  const schemes = security.flatMap((each) => Object.keys(each))
  if (schemes.length === 0) return 'anybody'
  return schemes.includes('cookie') ? 'person' : 'program'
}

/** A place in a body that has a text: where it is, and what it is called. */
export interface TextPlace {
  readonly at: readonly (string | number)[]
  readonly name: string
}

/** A body that says all that it may, with a text for each name. @throws for a name that the table does not have */
export function bodyOf(schema: Loose, texts: Readonly<Record<string, string>>, name = ''): unknown {
  if (schema.enum) return schema.enum[0]
  if (schema.type === 'object') {
    return Object.fromEntries(
      Object.entries(schema.properties ?? {}).map(([key, part]) => [key, bodyOf(part, texts, key)]),
    )
  }
  if (schema.type === 'array') return [bodyOf(schema.items, texts, name)]
  if (schema.type === 'boolean') return false
  if (schema.type === 'integer') return 1
  const text = texts[name]
  if (text === undefined) throw new Error(`say what is sent as "${name}" by somebody who may`)
  return text
}

/** Where a body has texts that are not one of a few. */
export function textPlaces(schema: Loose, at: TextPlace['at'] = []): readonly TextPlace[] {
  if (schema.type === 'object') {
    return Object.entries<Loose>(schema.properties ?? {}).flatMap(([key, part]) =>
      textPlaces(part, [...at, key]),
    )
  }
  if (schema.type === 'array') return textPlaces(schema.items, [...at, 0])
  if (schema.type !== 'string' || schema.enum) return []
  return [{ at, name: String(at.findLast((step) => typeof step === 'string')) }]
}

/** The same body with another text in one place. */
export function withText(body: unknown, at: TextPlace['at'], text: string): unknown {
  const [step, ...rest] = at
  if (step === undefined) return text
  if (Array.isArray(body)) return body.map((each) => withText(each, rest, text))
  const whole = body as Record<string, unknown>
  return { ...whole, [step]: withText(whole[step], rest, text) }
}
