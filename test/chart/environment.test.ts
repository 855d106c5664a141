import { expect, test } from 'vitest'
import { readAuthConfig } from '../../src/config/auth.ts'
import { ConfigurationError, type Environment } from '../../src/config/environment.ts'
import { readMigrateConfig } from '../../src/config/migrate.ts'
import { readOperatorConfig } from '../../src/config/operator.ts'
import { type Rendered, render, type Values, workloads } from './helm.ts'
import { installations } from './values.ts'

interface Variable {
  readonly name: string
  readonly value?: string
  readonly valueFrom?: {
    readonly secretKeyRef?: { readonly name: string; readonly key: string }
    readonly fieldRef?: { readonly fieldPath: string }
  }
}

const readers = {
  operator: (environment: Environment) => readOperatorConfig(environment, 'host'),
  auth: (environment: Environment) => readAuthConfig(environment, 'host'),
  migrate: readMigrateConfig,
}
const components = Object.keys(readers) as readonly (keyof typeof readers)[]

/** A container's environment as a kubelet would make it. */
function environmentOf(objects: readonly Rendered[], component: string): Environment {
  const workload = workloads(objects).find(
    ({ metadata }) => metadata.labels['app.kubernetes.io/component'] === component,
  )
  const variables = (workload?.['spec'].template.spec.containers[0].env ?? []) as Variable[]
  return Object.fromEntries(variables.map((variable) => [variable.name, valueOf(variable)]))
}

function valueOf({ value, valueFrom }: Variable): string {
  const secret = valueFrom?.secretKeyRef
  if (secret?.name === 'smtp') return 'smtps://user:password@smtp.acme.example'
  if (secret?.name === 'redis') return 'rediss://:password@redis.acme.example'
  if (secret) return `postgresql://${secret.name}:${secret.key}@postgres/cardea?sslmode=verify-full`
  return (
    value ?? (valueFrom?.fieldRef?.fieldPath === 'metadata.namespace' ? 'cardea-system' : 'pod')
  )
}

/** The variables that a program looks at. */
function readBy(read: (environment: Environment) => unknown): readonly string[] {
  const names = new Set<string>()
  const environment = new Proxy<Environment>(
    {},
    {
      get: (_, name) => {
        names.add(String(name))
        return undefined
      },
    },
  )
  expect(() => read(environment)).toThrow(ConfigurationError)
  return [...names].toSorted()
}

test.each(components)('%s is told every setting that it reads, and no other', (component) => {
  const told = render({
    'database.admin.secretName': 'admin',
    'database.auth.changesKey': 'direct',
    'database.operator.changesKey': 'direct',
  })
  expect(Object.keys(environmentOf(told, component)).toSorted()).toEqual(readBy(readers[component]))
})

test.each(Object.entries(installations))('with %s every program starts', (_, values) => {
  const objects = render(values)
  for (const component of components) {
    const environment = environmentOf(objects, component)
    if (Object.keys(environment).length > 0) {
      expect(readers[component](environment), component).toBeDefined()
    }
  }
})

test('what is not set in values.yaml is as it would be without the chart', () => {
  const bare = {
    CARDEA_DATABASE_URL:
      'postgresql://cardea-database-auth:uri@postgres/cardea?sslmode=verify-full',
    CARDEA_KMS: 'local',
    CARDEA_KMS_LOCAL_KEY_FILE: '/etc/cardea/kms/key',
  }
  const told = readAuthConfig(environmentOf(render(), 'auth'), 'host')
  expect({ ...told, replicaId: 'host' }).toEqual({
    ...readAuthConfig(bare, 'host'),
    // Two replicas share the limits from the start, and load balancers get their time.
    minReplicas: 2,
    drainDelay: 5000,
  })
})

test('what people are served by is told as it is set', () => {
  const told = readAuthConfig(environmentOf(render(installations['everything on']), 'auth'), 'host')
  expect(told.people).toEqual({
    publicUrl: 'https://id.acme.example',
    organizationHosts: '.id.acme.example',
    selfService: true,
    selfServiceDomains: ['acme.example', 'acme.test'],
    smtp: {
      server: {
        host: 'smtp.acme.example',
        port: 465,
        tls: 'implicit',
        login: { user: 'user', password: 'password' },
      },
      sender: { name: 'Acme', address: 'no-reply@acme.example' },
      caFile: '/etc/cardea/smtp-ca/ca.crt',
    },
    redis: {
      host: 'redis.acme.example',
      port: 6379,
      tls: true,
      login: { user: '', password: 'password' },
      database: 0,
    },
    passwords: { memory: 65_536, iterations: 3, queue: 100, workers: 2 },
    breachedPasswordsUrl: 'https://api.pwnedpasswords.com/range/',
  })
})

test('owners are invited where people can sign in', () => {
  const inviting = (values: Values) =>
    readOperatorConfig(environmentOf(render(values), 'operator'), 'host').inviteOwners
  expect(inviting({})).toBe(false)
  expect(inviting({ 'auth.publicUrl': 'https://id.acme.example' })).toBe(true)
})
