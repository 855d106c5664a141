import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TestCluster, testCluster } from '../support/controlplane.ts'
import {
  find,
  helm,
  objectsOf,
  type Rendered,
  render,
  type Values,
  valueArguments,
  workloads,
} from './helm.ts'
import { installations } from './values.ts'

const restricted = Object.fromEntries(
  ['enforce', 'audit', 'warn'].map((mode) => [`pod-security.kubernetes.io/${mode}`, 'restricted']),
)
// Any warning of the API server is a failure: Pod Security, deprecated fields, duplicates.
const strictly = ['--server-side', '--warnings-as-errors', '--filename=-']

let cluster: TestCluster
let namespace: string

beforeAll(async () => {
  cluster = testCluster()
  namespace = await cluster.namespace(restricted)
  await install('cardea-crds')
})

afterAll(async () => {
  await helm(['uninstall', 'cardea', '--namespace', namespace, '--ignore-not-found'])
})

async function install(chart: string, values: Values = {}): Promise<void> {
  const { stderr } = await helm([
    'upgrade',
    '--install',
    chart,
    `charts/${chart}`,
    `--namespace=${namespace}`,
    '--timeout=60s',
    ...valueArguments(values),
  ])
  expect(stderr).not.toMatch(/warn/i)
}

async function names(kind: string): Promise<readonly string[]> {
  const list = await cluster.kubectl(['get', kind, '--namespace', namespace, '--output=name'])
  return list.split('\n').flatMap((line) => (line === '' ? [] : [line.replace(/^[^/]*\//, '')]))
}

/** Repeats until it answers. Throws after half a minute. */
async function eventually<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const end = Date.now() + 30_000
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    if (Date.now() > end) throw new Error(`not within 30 s: ${what}`)
    await sleep(200)
  }
}

/** Says that a Job is done, as the Job controller would: no pod runs here. */
async function complete(job: string): Promise<void> {
  const at = '2026-11-21T12:00:00Z'
  const condition = (type: string) => ({
    type,
    status: 'True',
    reason: 'CompletionsReached',
    message: '',
    lastProbeTime: at,
    lastTransitionTime: at,
  })
  const status = {
    startTime: at,
    completionTime: at,
    succeeded: 1,
    ready: 0,
    terminating: 0,
    uncountedTerminatedPods: {},
    conditions: [condition('SuccessCriteriaMet'), condition('Complete')],
  }
  await cluster.kubectl([
    'patch',
    'job',
    job,
    `--namespace=${namespace}`,
    '--subresource=status',
    '--type=merge',
    `--patch=${JSON.stringify({ status })}`,
  ])
}

test('the migration is done before anything else is there', async () => {
  const installing = install('cardea')
  const job = await eventually('the Job of the hook', async () => (await names('jobs'))[0])
  expect(job).toMatch(/^cardea-migrate-/)
  expect(await names('serviceaccounts')).toContain('cardea-migrate')
  expect(await names('networkpolicies')).toEqual(['cardea-migrate'])
  expect(await names('deployments')).toEqual([])
  await complete(job)
  await installing
  expect(await names('deployments')).toEqual(['cardea-auth', 'cardea-operator'])
  expect(await names('jobs')).toEqual([])
  expect(await names('serviceaccounts')).not.toContain('cardea-migrate')
})

test('a warning of the API server would have been seen', async () => {
  const constraint = { topologyKey: 'rack', maxSkew: 1, whenUnsatisfiable: 'ScheduleAnyway' }
  const values = {
    'migrate.enabled': false,
    'operator.topologySpreadConstraints': [{ ...constraint, labelSelector: null }],
  }
  await expect(install('cardea', values)).rejects.toThrow(/warning/)
})

test.each(Object.entries(installations))(
  'with %s every pod is admitted where Pod Security is enforced',
  async (_, values) => {
    // Apart from the release: these accounts are not Helm's.
    const own = await cluster.namespace(restricted)
    const pods = workloads(render(values)).map(({ metadata, ...workload }) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: metadata.name, namespace: own, labels: metadata.labels },
      spec: workload['spec'].template.spec,
    }))
    const accounts = pods.map(({ spec }) => ({
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: spec.serviceAccountName, namespace: own },
    }))
    await apply(accounts, [])
    const admitted = await apply(pods, ['--dry-run=server'])
    expect(admitted.match(/^pod\//gm)).toHaveLength(pods.length)
  },
)

test('a pod that is not restricted is refused there', async () => {
  const [workload] = workloads(render())
  const spec = { ...workload?.['spec'].template.spec, securityContext: {} }
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'root', namespace }, spec }
  await expect(apply([pod], ['--dry-run=server'])).rejects.toThrow(/violates PodSecurity/)
})

function create(objects: readonly object[], account: string): Promise<string> {
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects })
  return cluster.kubectl(['create', '--filename=-', account], { input })
}

function apply(objects: readonly object[], options: readonly string[]): Promise<string> {
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects })
  return cluster.kubectl(['apply', ...strictly, ...options], { input })
}

test('install.yaml is admitted without a warning, and config/default is the same', async () => {
  const yaml = await readFile('manifests/install.yaml', 'utf8')
  const objects = objectsOf(yaml)
  await apply([objects[0] as Rendered], [])
  const said = await apply(objects, ['--dry-run=server', '--force-conflicts'])
  expect(said.trim().split('\n')).toHaveLength(objects.length)

  const kustomized = objectsOf(await cluster.kubectl(['kustomize', 'config/default']))
  const byName = (list: readonly Rendered[]) =>
    new Map(list.map((object) => [`${object.kind} ${object.metadata.name}`, object]))
  expect(byName(kustomized)).toEqual(byName(objects))
})

interface Question {
  readonly who: string
  readonly verb: string
  readonly what: string
  readonly group?: string
  readonly name?: string
  readonly where?: string
}

/** Asks the API server's authorizer all of it at once. */
async function allowed(questions: readonly Question[]): Promise<readonly boolean[]> {
  const items = questions.map(({ who, verb, what, group = '', name = '', where = 'acme' }) => {
    const [resource, subresource = ''] = what.split('/')
    const account = `system:serviceaccount:${namespace}:${who}`
    return {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: {
        user: who.startsWith('cardea') ? account : who,
        resourceAttributes: { group, resource, subresource, verb, name, namespace: where },
      },
    }
  })
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items })
  const output = '--output=jsonpath={.status.allowed}{"\\n"}'
  const answer = await cluster.kubectl(['create', '--filename=-', output], { input })
  return answer
    .trim()
    .split('\n')
    .map((line) => line === 'true')
}

const cardea = 'cardea.dev'
const leases = 'coordination.k8s.io'

test('the operator may do its work', async () => {
  const who = 'cardea-operator'
  const questions: Question[] = [
    { who, verb: 'watch', what: 'rbacroles', group: cardea },
    { who, verb: 'patch', what: 'apikeys', group: cardea },
    { who, verb: 'patch', what: 'organizations/status', group: cardea },
    { who, verb: 'update', what: 'apikeys/finalizers', group: cardea },
    { who, verb: 'create', what: 'secrets' },
    { who, verb: 'create', what: 'events', group: 'events.k8s.io' },
    { who, verb: 'create', what: 'leases', group: leases, where: namespace },
    { who, verb: 'update', what: 'leases', group: leases, name: who, where: namespace },
  ]
  expect(await allowed(questions)).toEqual(questions.map(() => true))
})

test('the operator may do nothing else, and the auth service nothing at all', async () => {
  const who = 'cardea-operator'
  const questions: Question[] = [
    { who, verb: 'delete', what: 'apikeys', group: cardea },
    { who, verb: 'create', what: 'organizations', group: cardea },
    { who, verb: 'deletecollection', what: 'secrets' },
    { who, verb: 'update', what: 'leases', group: leases, name: 'other', where: namespace },
    { who, verb: 'get', what: 'leases', group: leases, name: who, where: 'kube-system' },
    { who, verb: 'list', what: 'pods' },
    { who, verb: 'get', what: 'configmaps' },
    { who, verb: 'create', what: 'serviceaccounts/token' },
    { who, verb: 'create', what: 'rolebindings', group: 'rbac.authorization.k8s.io' },
    { who: 'cardea-auth', verb: 'get', what: 'secrets', where: namespace },
    { who: 'cardea-auth', verb: 'list', what: 'apikeys', group: cardea },
    { who: 'cardea-auth', verb: 'get', what: 'leases', group: leases, where: namespace },
    { who: 'cardea-migrate', verb: 'get', what: 'secrets', where: namespace },
  ]
  expect(await allowed(questions)).toEqual(questions.map(() => false))
})

/** Tries what a policy refuses until it does: it is in force when the API server has compiled it. */
function inForce(refused: () => Promise<unknown>, refusal: RegExp): Promise<unknown> {
  return eventually('the policy is in force', async () =>
    (await refused().catch(String))?.toString().match(refusal) ? true : undefined,
  )
}

test('the operator writes only Secrets that its resources own, and none that becomes a token', async () => {
  const tenant = await cluster.namespace()
  const account = `--as=system:serviceaccount:${namespace}:cardea-operator`
  const secret = (name: string, metadata: object = {}, type = 'cardea.dev/envelope') => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: tenant, ...metadata },
    type,
  })
  const owner = { apiVersion: 'cardea.dev/v1alpha1', kind: 'APIKey', name: 'ci', uid: 'u' }
  const ours = { labels: { 'cardea.dev/installation': 'default' } }
  const owned = { ownerReferences: [{ ...owner, controller: true }] }
  await apply([secret('theirs')], [])
  const patch = (name: string, change: object, as = account) =>
    cluster.kubectl([
      'patch',
      'secret',
      name,
      `--namespace=${tenant}`,
      '--type=merge',
      `--patch=${JSON.stringify(change)}`,
      as,
    ])
  const refusal = /only Secrets that a resource of cardea.dev owns/

  await inForce(() => patch('theirs', { data: { a: 'Yg==' } }), refusal)
  await expect(patch('theirs', { metadata: ours })).rejects.toThrow(refusal)
  await expect(create([secret('plain')], account)).rejects.toThrow(refusal)
  const remove = ['delete', 'secret', `--namespace=${tenant}`, account]
  await expect(cluster.kubectl([...remove, 'theirs'])).rejects.toThrow(refusal)

  await create([secret('labelled', ours), secret('owned', { ...ours, ...owned })], account)
  await patch('labelled', { data: { a: 'Yg==' } })
  await patch('owned', { metadata: { labels: null } })
  await patch('owned', { metadata: ours })
  await cluster.kubectl([...remove, 'labelled'])

  const annotations = { 'kubernetes.io/service-account.name': 'default' }
  const token = secret('token', { ...ours, annotations }, 'kubernetes.io/service-account-token')
  const wrongType = /only Secrets of type cardea.dev\/envelope\./
  await expect(create([token], account)).rejects.toThrow(wrongType)
  await expect(create([secret('opaque', ours, 'Opaque')], account)).rejects.toThrow(wrongType)
  const forAccount = /no Secret for a service account/
  const annotated = secret('annotated', { ...ours, annotations })
  await expect(create([annotated], account)).rejects.toThrow(forAccount)
  await expect(patch('owned', { metadata: { annotations } })).rejects.toThrow(forAccount)
  // Nobody keeps it from repairing a Secret by that annotation; and what is of a wrong type it may take away.
  await patch('owned', { metadata: { annotations } }, '--as=')
  await patch('owned', { data: { a: 'Yg==' } })
  await apply([secret('typed', ours, 'Opaque')], [])
  await expect(patch('typed', { data: { a: 'Yg==' } })).rejects.toThrow(wrongType)
  await cluster.kubectl([...remove, 'typed'])
})

test('only where plain Secrets are allowed the operator may make one', () => {
  const policy = 'ValidatingAdmissionPolicy'
  const expressions = (values: Values): string => {
    const { spec } = find(render(values), policy, 'cardea-operator-secrets')
    return JSON.stringify(spec.validations)
  }
  expect(expressions({})).toContain(String.raw`in [\"cardea.dev/envelope\"]`)
  expect(expressions({ 'operator.allowPlainSecrets': true })).toContain(
    String.raw`in [\"cardea.dev/envelope\",\"Opaque\"]`,
  )
})

// That it may write a status is what every integration test lives by: they run under these policies.
test('the operator writes of a resource its own finalizer, and neither spec nor metadata', async () => {
  const tenant = await cluster.namespace()
  const account = `--as=system:serviceaccount:${namespace}:cardea-operator`
  const organization = {
    apiVersion: 'cardea.dev/v1alpha1',
    kind: 'Organization',
    metadata: {
      name: 'acme',
      namespace: tenant,
      finalizers: ['example.com/theirs'],
      labels: { team: 'a' },
      annotations: { 'example.com/note': 'a' },
    },
    spec: { displayName: 'Acme Inc.', owners: ['owner@acme.example'] },
  }
  await apply([organization], [])
  const patch = (change: object, ...more: readonly string[]) =>
    cluster.kubectl([
      'patch',
      'organization',
      'acme',
      `--namespace=${tenant}`,
      '--type=merge',
      `--patch=${JSON.stringify(change)}`,
      account,
      ...more,
    ])
  const refusal = /status of a resource and its own finalizer, and nothing else/
  const theirs = 'example.com/theirs'

  await inForce(() => patch({ spec: { displayName: 'Mine' } }), refusal)
  for (const change of [
    { spec: { owners: ['me@evil.example'] } },
    { metadata: { labels: { team: 'b' } } },
    { metadata: { annotations: { 'cardea.dev/rotate-requested-at': 'now' } } },
    { metadata: { finalizers: ['cardea.dev/organization'] } },
  ]) {
    await expect(patch(change)).rejects.toThrow(refusal)
  }
  await patch({ metadata: { finalizers: [theirs, 'cardea.dev/organization'] } })
  await patch({ metadata: { finalizers: [theirs] } })
  // People are not the operator.
  const byAdmin = { metadata: { finalizers: null }, spec: { displayName: 'Acme Ltd' } }
  await patch(byAdmin, '--as=')
})

test('who may edit a namespace may edit its identity, but not write a status', async () => {
  const binding = (role: string) => ({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { name: role, namespace },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: role }],
  })
  await apply([binding('edit'), binding('view')], [])
  const where = namespace
  const questions: Question[] = [
    { who: 'edit', verb: 'create', what: 'apikeys', group: cardea, where },
    { who: 'view', verb: 'list', what: 'organizations', group: cardea, where },
    { who: 'view', verb: 'patch', what: 'organizations', group: cardea, where },
    { who: 'edit', verb: 'patch', what: 'apikeys/status', group: cardea, where },
    { who: 'edit', verb: 'create', what: 'apikeys', group: cardea },
  ]
  // The controller that aggregates roles takes a moment.
  await eventually('the roles are aggregated', async () =>
    (await allowed(questions.slice(0, 2))).every(Boolean) ? true : undefined,
  )
  expect(await allowed(questions)).toEqual([true, true, false, false, false])
})

test('every resource outlives an upgrade and both charts', async () => {
  const organization = {
    apiVersion: 'cardea.dev/v1alpha1',
    kind: 'Organization',
    metadata: { name: 'acme', namespace },
    spec: { displayName: 'Acme Inc.', owners: ['owner@acme.example'] },
  }
  await apply([organization], [])
  const ofAcme = ['organization', 'acme', '--output=jsonpath={.metadata.uid}']
  const uid = () => cluster.kubectl(['get', `--namespace=${namespace}`, ...ofAcme])
  const before = await uid()

  await install('cardea-crds')
  await install('cardea', { 'migrate.hook': false, 'auth.replicas': 3 })
  expect(await names('jobs')).toHaveLength(1)
  const said = await helm(['uninstall', 'cardea', 'cardea-crds', '--namespace', namespace])
  expect(said.stdout).toContain('kept due to the resource policy')
  expect(await names('deployments')).toEqual([])
  expect(await uid()).toBe(before)

  // And the same release takes them up again.
  await install('cardea-crds')
  expect(await uid()).toBe(before)
})
