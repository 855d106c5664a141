import fastify, { type FastifyInstance } from 'fastify'
import { expect, test } from 'vitest'
import { registerAuthentication } from '../../plugins/authentication.ts'
import { Hosts } from '../../plugins/hosts.ts'
import { MemoryWindows } from '../../ratelimit/window.ts'
import { registerIntrospection } from '../introspection.ts'
import { registerJwks } from '../jwks.ts'
import { registerPeople } from '../people.ts'
import { registerProviderCredentials } from '../providercredential.ts'
import { registerOpenApi } from './document.ts'

/** What routes are registered with, where nobody calls them. */
function anything(): never {
  return new Proxy(() => {}, {
    get: (_, name) => (name === 'then' ? undefined : anything()),
  }) as never
}

/** A way to a page. */
const changePassword = '/.well-known/change-password'

/** The routes that are no pages, as OpenAPI writes them. */
async function routesOf(register: (app: FastifyInstance) => void): Promise<readonly string[]> {
  const app = fastify()
  const routes: string[] = []
  app.addHook('onRoute', ({ method, url }) => {
    for (const each of [method].flat()) {
      if (each === 'HEAD' || each === 'OPTIONS') continue
      if (/^\/(api|oauth2|v1|\.well-known|openapi)/.test(url) && url !== changePassword) {
        routes.push(`${each} ${url.replaceAll(/:([a-z]+)/g, '{$1}')}`)
      }
    }
  })
  registerAuthentication(app)
  register(app)
  await app.ready()
  await app.close()
  return routes.toSorted()
}

function describedIn(paths: Record<string, Record<string, unknown>>): readonly string[] {
  return Object.entries(paths)
    .flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    )
    .filter((route) => !route.startsWith('GET /check'))
    .toSorted()
}

async function document() {
  const app = fastify()
  registerOpenApi(app, { version: '1.2.3', people: true })
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

const programs = (app: FastifyInstance) => {
  registerIntrospection(app, anything())
  registerProviderCredentials(app, anything())
  registerJwks(app, anything())
  registerOpenApi(app, { version: '1.2.3', people: true })
}

test('every route is described, and every described one is there', async () => {
  const { paths } = await document()
  const routes = await routesOf((app) => {
    programs(app)
    registerPeople(app, {
      people: anything(),
      judge: anything(),
      addresses: anything(),
      denials: anything(),
      clock: anything(),
      hosts: new Hosts('https://id.example.com'),
      windows: new MemoryWindows(1),
      wakeMail: () => {},
      publicUrl: 'https://id.example.com',
    })
  })
  expect(routes.length).toBeGreaterThan(25)
  expect(describedIn(paths)).toEqual(routes)
})

test('where nobody signs in, nothing of people is described', async () => {
  const app = fastify()
  registerOpenApi(app, { version: '1.2.3', people: false })
  const { paths } = (await app.inject('/openapi.json')).json()
  expect(describedIn(paths)).toEqual(await routesOf(programs))
})

test('every path has its parameters, and every operation that takes a body names its codes', async () => {
  const { paths } = await document()
  for (const [path, methods] of Object.entries<Record<string, Operation>>(paths)) {
    const named = [...path.matchAll(/\{([a-z]+)\}/g)].map(([, name]) => name)
    for (const [method, { parameters = [], requestBody, responses }] of Object.entries(methods)) {
      const inPath = parameters.filter((parameter) => parameter.in === 'path')
      expect(
        inPath.map(({ name }) => name),
        `${method} ${path}`,
      ).toEqual(named)
      if (requestBody) expect(responses['413']?.description).toContain('body_too_large')
    }
  }
})

interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly in: string }[]
  readonly requestBody?: object
  readonly responses: Readonly<Record<string, { readonly description: string }>>
}
