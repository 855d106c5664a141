import fastify from 'fastify'
import { expect, test } from 'vitest'
import { registerOpenApi } from './openapi.ts'

async function document() {
  const app = fastify()
  registerOpenApi(app, '1.2.3')
  return (await app.inject('/openapi.json')).json()
}

test('every reference leads somewhere, and every operation has a name of its own', async () => {
  const text = await document()
  const references: string[] = []
  const names: string[] = []
  JSON.stringify(text, (key, value) => {
    if (key === '$ref') references.push(value as string)
    if (key === 'operationId') names.push(value as string)
    return value as unknown
  })
  for (const reference of references) {
    const path = reference.split('/').slice(1)
    expect(
      path.reduce((at, step) => (at as Record<string, unknown>)?.[step], text as unknown),
      reference,
    ).toBeDefined()
  }
  expect(new Set(names).size).toBe(names.length)
})

test('the schemas are those of the routes', async () => {
  const { components, paths, info } = await document()
  expect(info.version).toBe('1.2.3')
  expect(components.schemas.Check.required).toContain('credentialId')
  expect(components.schemas.Problem.properties.code.enum).toContain('rate_limited')
  const { schema } =
    paths['/oauth2/introspect'].post.requestBody.content['application/x-www-form-urlencoded']
  expect(schema.required).toEqual(['token'])
  expect(Object.keys(paths['/check'].get.responses)).toEqual([
    '200',
    '400',
    '401',
    '403',
    '413',
    '429',
    '503',
  ])
})
