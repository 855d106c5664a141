import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { kinds } from '../../src/api/v1alpha1/kinds.ts'
import { find, render } from '../chart/helm.ts'
import {
  anAPIKey,
  anEncryptionKey,
  anOrganization,
  anRBACBinding,
  anRBACRole,
  aProject,
  aProviderCredential,
} from '../support/build/resource.ts'
import { testCluster } from '../support/controlplane.ts'
import {
  apply,
  eventually,
  get,
  kubectl,
  patch,
  remove,
  request,
  whenGone,
  whenReady,
} from '../support/kube.ts'
import { type System, startSystem } from '../support/system.ts'

/** The part of an audit.k8s.io/v1 Event that is read here. */
interface AuditEvent {
  readonly verb: string
  readonly user: { readonly username: string }
  readonly userAgent: string
  readonly requestReceivedTimestamp: string
  readonly requestURI: string
  readonly objectRef?: {
    readonly apiGroup?: string
    readonly resource: string
    readonly subresource?: string
    readonly name?: string
    readonly namespace?: string
  }
  readonly responseStatus?: { readonly code: number }
  readonly annotations?: Readonly<Record<string, string>>
}

interface Rule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly resourceNames?: readonly string[]
  readonly verbs: readonly string[]
}

const operatorUser = 'system:serviceaccount:cardea-system:cardea-operator'

/**
 * What is granted and is no request's: the admission plugin OwnerReferencesPermissionEnforcement, which is on here, asks
 * for it when an APIKey's Secret is made.
 */
const askedByAdmission = ['update cardea.dev/apikeys/finalizers']
// A resource is read anew when an edit overtakes the write of its status, and when a list says that it is gone while it
// had a finalizer: this run makes neither happen to each kind.
const askedBySurprise = kinds.map(({ plural }) => `get cardea.dev/${plural}`)

let ns: string
let system: System
let requests: readonly AuditEvent[]

beforeAll(async () => {
  const started = new Date().toISOString()
  ns = await testCluster().namespace()
  system = await startSystem({ namespaces: [ns], operators: 2, auths: 0 })
  await live()
  await system.stop()
  requests = readFileSync(testCluster().auditLogPath, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line): AuditEvent => JSON.parse(line))
    .filter((event) => event.user.username === operatorUser)
    .filter((event) => event.requestReceivedTimestamp >= started)
})
afterAll(() => system.stop())

/** A whole life: made, edited, rotated, renamed, repaired, poisoned, handed to another operator, and deleted. */
async function live(): Promise<void> {
  const resources = [
    anOrganization(ns, 'acme'),
    aProject(ns, 'scanner'),
    anRBACRole(ns, 'reader'),
    anRBACBinding(ns, 'leads', { role: 'reader' }),
    anAPIKey(ns, 'ci'),
    anEncryptionKey(ns, 'primary'),
    aProviderCredential(ns, 'openai'),
  ]
  await kubectl('create', 'secret', 'generic', 'openai-key', '--from-literal=token=sk-1', '-n', ns)
  const whole = () =>
    Promise.all(resources.map(({ kind, metadata }) => whenReady(kind, ns, metadata.name)))
  await apply(...resources)
  await whole()
  await patch('organization', ns, 'acme', { spec: { displayName: 'Acme Ltd' } })
  await patch('project', ns, 'scanner', { spec: { displayName: 'Scan' } })
  await patch('rbacrole', ns, 'reader', { spec: { permissions: ['scans:write'] } })
  await patch('rbacbinding', ns, 'leads', { spec: { role: 'viewer' } })
  await request('apikey', ns, 'ci', 'rotate-requested-at', 'now')
  await eventually('the rotation', async () =>
    (await get('apikey', ns, 'ci'))?.status.lastHandledRotateAt === 'now' ? true : undefined,
  )
  await whole()

  // The same repair twice: an event, and its series when the operator ends.
  const changed = { data: { envelope: Buffer.from('nothing').toString('base64') } }
  for (const _ of ['once', 'again']) {
    const { data } = (await get('secret', ns, 'ci-secret')) ?? {}
    await patch('secret', ns, 'ci-secret', changed)
    await eventually('the repair', async () =>
      (await get('secret', ns, 'ci-secret'))?.data?.['envelope'] === data?.['envelope']
        ? true
        : undefined,
    )
  }
  // Somebody else's Secret in the way, of which the cache knows nothing.
  await kubectl('create', 'secret', 'generic', 'taken', '-n', ns)
  await patch('apikey', ns, 'ci', { spec: { secretRef: { name: 'taken' } } })
  await whenReady('apikey', ns, 'ci', 'False', 'SecretConflict')
  await patch('apikey', ns, 'ci', { spec: { secretRef: { name: 'renamed' } } })
  await whole()
  await whenGone('secret', ns, 'ci-secret')

  await system.operator.daemon.stop()
  await patch('apikey', ns, 'ci', { spec: { description: 'For the one who leads now.' } })
  await whole()
  for (const { kind, metadata } of resources.toReversed()) {
    await remove(kind, ns, metadata.name)
    await whenGone(kind, ns, metadata.name)
  }
}

function granted(): ReadonlySet<string> {
  const objects = render()
  const rules = [
    ...(find(objects, 'ClusterRole', 'cardea-operator')['rules'] as Rule[]),
    ...(find(objects, 'Role', 'cardea-operator-lease')['rules'] as Rule[]),
  ]
  return new Set(
    rules.flatMap(({ apiGroups, resources, verbs }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) => verbs.map((verb) => `${verb} ${group}/${resource}`)),
      ),
    ),
  )
}

function used(): ReadonlySet<string> {
  return new Set(
    requests.map(({ verb, objectRef, requestURI }) => {
      if (!objectRef) return `${verb} ${requestURI}`
      const { apiGroup = '', resource, subresource } = objectRef
      return `${verb} ${apiGroup}/${resource}${subresource ? `/${subresource}` : ''}`
    }),
  )
}

test('the operator was denied nothing', () => {
  expect(requests.length).toBeGreaterThan(50)
  const denied = requests.filter(
    ({ responseStatus, annotations }) =>
      responseStatus?.code === 403 || annotations?.['authorization.k8s.io/decision'] === 'forbid',
  )
  expect(denied).toEqual([])
})

test('the operator used everything that it may, and nothing else', () => {
  const asked = new Set([...used(), ...askedByAdmission, ...askedBySurprise])
  expect([...asked].toSorted()).toEqual([...granted()].toSorted())
})

test('nothing that it may is a wildcard', () => {
  expect([...granted()].filter((grant) => grant.includes('*'))).toEqual([])
})

test('it wrote to its own lease and to its own namespaces alone', () => {
  for (const { verb, objectRef } of requests) {
    if (objectRef?.resource === 'leases') {
      expect([objectRef.namespace, objectRef.name ?? 'cardea-operator']).toEqual([
        'cardea-system',
        'cardea-operator',
      ])
    } else if (!['get', 'list', 'watch'].includes(verb)) expect(objectRef?.namespace).toBe(ns)
  }
})
