import { execFileSync } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { describe, expect, inject, test } from 'vitest'
import { nodeFlags } from '../../hack/local/nodeflags.ts'
import { kinds } from '../../src/api/v1alpha1/kinds.ts'
import { chart, find, notes, type Rendered, render, type Values, workloads } from './helm.ts'
import { installations } from './values.ts'

describe.each(Object.entries(installations))('with %s', (_, values) => {
  const objects = (): readonly Rendered[] => render(values)

  test('every selector selects the pods that it is for', () => {
    const pods = workloads(objects()).map((workload) => workload['spec'].template)
    for (const object of objects()) {
      const selector =
        object.kind === 'Service'
          ? object['spec'].selector
          : (object['spec']?.selector ?? object['spec']?.podSelector)?.matchLabels
      if (!selector || object.kind === 'ServiceMonitor') continue
      const selected = pods.filter((pod) =>
        Object.entries(selector).every(([key, value]) => pod.metadata.labels[key] === value),
      )
      expect(selected, `${object.kind} ${object.metadata.name}`).toHaveLength(1)
    }
  })

  test('every pod is restricted and writes nowhere', () => {
    for (const { metadata, ...workload } of workloads(objects())) {
      const pod = workload['spec'].template.spec
      expect(pod.securityContext).toMatchObject({
        runAsNonRoot: true,
        runAsUser: 65532,
        seccompProfile: { type: 'RuntimeDefault' },
      })
      for (const container of pod.containers) {
        expect(container.securityContext, metadata.name).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        })
        expect(container.resources.requests).toHaveProperty('memory')
        expect(container.resources.limits).toHaveProperty('memory')
      }
      for (const { secret, projected } of pod.volumes ?? []) {
        expect((secret ?? projected).defaultMode).toBe(0o440)
      }
    }
  })

  test('only the operator has a token of the API server', () => {
    for (const workload of workloads(objects())) {
      const { automountServiceAccountToken } = workload['spec'].template.spec
      const component = workload.metadata.labels['app.kubernetes.io/component']
      expect(automountServiceAccountToken).toBe(component === 'operator')
    }
    const accounts = objects().filter(({ kind }) => kind === 'ServiceAccount')
    for (const account of accounts) expect(account['automountServiceAccountToken']).toBe(false)
  })

  test('the programs run with the flags that they are tested with', () => {
    for (const workload of workloads(objects())) {
      const component = workload.metadata.labels['app.kubernetes.io/component']
      const flags: readonly string[] = nodeFlags[component as keyof typeof nodeFlags] ?? []
      const [{ args }] = workload['spec'].template.spec.containers
      expect(args).toEqual([...flags, `dist/main/${component}.js`])
    }
  })

  test('no Secret is rendered, and no pod reads a Secret of another part', () => {
    expect(objects().filter(({ kind }) => kind === 'Secret')).toEqual([])
    const secretsOf = (component: string) =>
      workloads(objects())
        .filter(({ metadata }) => metadata.labels['app.kubernetes.io/component'] === component)
        .flatMap((workload) => workload['spec'].template.spec.containers[0].env)
        .flatMap((variable) => variable.valueFrom?.secretKeyRef?.name ?? [])
    expect(new Set(secretsOf('operator'))).toEqual(new Set(['cardea-database-operator']))
    const people = values['auth.publicUrl'] ? ['smtp', 'redis'] : []
    expect(new Set(secretsOf('auth'))).toEqual(new Set(['cardea-database-auth', ...people]))
  })

  test('helm lint has nothing to say', () => {
    const args = Object.entries(values).flatMap(([name, value]) => [
      '--set-json',
      `${name}=${JSON.stringify(value)}`,
    ])
    const said = execFileSync(inject('tools').helm, ['lint', '--strict', chart, ...args], {
      encoding: 'utf8',
      stdio: 'pipe',
    })
    expect(said).toContain('0 chart(s) failed')
    expect(said).not.toMatch(/\[(WARNING|ERROR)\]/)
  })
})

test('the kinds in the RBAC rules and in the CRDs are those of the API', async () => {
  const plurals = kinds.map(({ plural }) => plural).toSorted()
  const [rule] = find(render(), 'ClusterRole', 'cardea-operator')['rules']
  expect(rule.resources).toEqual(plurals)
  const crds = await readdir('charts/cardea-crds/templates')
  expect(crds).toEqual(plurals.map((plural) => `cardea.dev_${plural}.yaml`))
})

test('the hook brings its account and its policy, and the Job is last', () => {
  const hooks = render().filter(({ metadata }) => metadata.annotations?.['helm.sh/hook'])
  const weights = hooks.map(({ kind, metadata }) => [
    kind,
    Number(metadata.annotations?.['helm.sh/hook-weight']),
  ])
  expect(Object.fromEntries(weights)).toEqual({ ServiceAccount: -10, NetworkPolicy: -10, Job: 0 })
})

test('an ordinary Job has another name when it would do something else', () => {
  const name = (values: object) =>
    render({ 'migrate.hook': false, ...values }).find(({ kind }) => kind === 'Job')?.metadata.name
  expect(name({})).toBe(name({ 'auth.replicas': 5 }))
  expect(name({})).not.toBe(name({ 'image.tag': '0.2.0' }))
  expect(name({})).toMatch(/^cardea-migrate-[0-9a-f]{8}$/)
})

test('the namespaces that are watched are told to the operator and have its Role', () => {
  const objects = render(installations['two namespaces only'])
  const clusterWide = objects.filter(({ metadata }) => metadata.namespace === undefined)
  expect(clusterWide).toEqual([])
  const roles = objects.filter(
    ({ kind, metadata }) => kind === 'Role' && metadata.name === 'cardea-operator',
  )
  expect(roles.map(({ metadata }) => metadata.namespace)).toEqual(['acme', 'globex'])
  const { env } = find(objects, 'Deployment', 'cardea-operator')['spec'].template.spec.containers[0]
  expect(env).toContainEqual({ name: 'CARDEA_WATCH_NAMESPACES', value: 'acme,globex' })
})

test('the auth service may not reach the API server', () => {
  const ports = (name: string, values: Values = {}) =>
    find(render(values), 'NetworkPolicy', name)['spec'].egress.flatMap(
      (rule: { ports: { port: number }[] }) => rule.ports.map(({ port }) => port),
    )
  expect(ports('cardea-auth', installations['everything on'])).toEqual([
    53, 53, 5432, 443, 465, 587, 6379, 443,
  ])
  expect(ports('cardea-auth')).toEqual([53, 53, 5432])
  expect(ports('cardea-operator')).toEqual([53, 53, 5432, 443, 6443])
  expect(ports('cardea-migrate')).toEqual([53, 53, 5432])
})

test.each<readonly [Values, boolean]>([
  [{}, true],
  [{ 'kms.key': 'aws:eu-west-1:alias/cardea' }, false],
  [{ 'kms.key': 'aws:eu-west-1:alias/cardea', 'kms.allowedKeys': ['*=local'] }, true],
  [{ 'kms.key': 'vault:transit/local', 'kms.allowedKeys': ['*=vault:transit/*'] }, false],
])(
  'with %j the key file is awaited only where the local key is one of those',
  (values, awaited) => {
    const volumes = ['cardea-operator', 'cardea-auth'].flatMap(
      (name) => find(render(values), 'Deployment', name)['spec'].template.spec.volumes ?? [],
    )
    const names = volumes.map(({ secret }) => secret?.secretName)
    expect(names).toEqual(awaited ? ['cardea-kms', 'cardea-kms'] : [])
  },
)

test('the token that the pods show to Vault is good for nothing else', () => {
  const tokens = (values: Values) =>
    ['cardea-operator', 'cardea-auth'].map((name) => {
      const { volumes } = find(render(values), 'Deployment', name)['spec'].template.spec
      const volume = volumes.find((each: { name: string }) => each.name === 'vault-token')
      return volume.projected.sources[0].serviceAccountToken.audience
    })
  const vault = {
    'kms.key': 'vault:transit/cardea',
    'kms.vault.address': 'https://vault.example:8200',
    'kms.vault.role': 'cardea',
  }
  expect(tokens(vault)).toEqual(['vault', 'vault'])
  expect(tokens({ ...vault, 'kms.vault.audience': 'openbao' })).toEqual(['openbao', 'openbao'])
  expect(() => render({ ...vault, 'kms.vault.audience': '' })).toThrow('audience')
})

test('the notes say which Secrets are read, and that network policies bar the way to the key', () => {
  const vault = {
    'kms.key': 'vault:transit/cardea',
    'kms.vault.address': 'https://vault.example:8200',
    'kms.vault.ca.secretName': 'vault-ca',
  }
  const closed = /networkPolicy\.kms\.ports is empty.*vault:transit\/cardea/
  expect(notes()).toContain('cardea-kms (key)')
  expect(notes()).not.toMatch(closed)
  expect(notes(vault)).toContain('vault-ca (ca.crt)')
  expect(notes(vault)).not.toContain('cardea-kms')
  expect(notes(vault)).toMatch(closed)
  expect(notes({ ...vault, 'networkPolicy.kms.ports': [8200] })).not.toMatch(closed)
  expect(notes({ ...vault, 'networkPolicy.enabled': false })).not.toMatch(closed)
})

test('the notes say what people lack', () => {
  const people = { 'auth.publicUrl': 'https://id.acme.example' }
  expect(notes()).not.toContain('/login')
  expect(notes(people)).toContain('https://id.acme.example/login')
  expect(notes(people)).toContain('auth.trustedProxies is empty')
  expect(notes(people)).toContain('no mail is sent')
  const whole = notes({
    ...people,
    'auth.trustedProxies': ['10.0.0.0/8'],
    'auth.smtp.url.secretName': 'smtp',
    'auth.smtp.from': 'no-reply@acme.example',
  })
  expect(whole).not.toContain('WARNING')
  expect(whole).toContain('smtp (url)')
})
