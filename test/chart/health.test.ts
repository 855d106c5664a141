import { readFile } from 'node:fs/promises'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { kinds } from '../../src/api/v1alpha1/kinds.ts'
import type { Condition, CustomResource } from '../../src/k8s/object.ts'
import { done, stalled, waiting } from '../../src/k8s/reconciler.ts'
import { assertInvariants, computeStatus, type Verdict } from '../../src/k8s/status.ts'
import { testCluster } from '../support/controlplane.ts'
import { type Health, runHealthCheck } from './argocd.ts'
import { type KStatus, kstatus } from './kstatus.ts'

const script = await readFile('config/argocd/health.lua', 'utf8')
const now = new Date('2026-11-21T12:00:00Z')

const said: Readonly<Record<KStatus, Health['status']>> = {
  Terminating: 'Progressing',
  InProgress: 'Progressing',
  Failed: 'Degraded',
  Current: 'Healthy',
}

const healthOf = (resource: CustomResource) => runHealthCheck(script, resource)

function aResource(parts: {
  spec?: CustomResource['spec']
  status?: CustomResource['status']
  deleted?: boolean
}): CustomResource {
  return {
    apiVersion: 'cardea.dev/v1alpha1',
    kind: 'APIKey',
    metadata: {
      name: 'ci',
      namespace: 'acme',
      uid: 'u',
      resourceVersion: '7',
      generation: 2,
      creationTimestamp: '2026-11-21T11:00:00Z',
      ...(parts.deleted && { deletionTimestamp: '2026-11-21T12:00:00Z' }),
    },
    spec: parts.spec ?? {},
    status: parts.status,
  }
}

function aCondition({ type, status }: { type: string; status: string }): Condition {
  const about = {
    reason: 'Reason',
    message: 'A message.',
    lastTransitionTime: '2026-11-21T12:00:00Z',
  }
  return { type, status: status as Condition['status'], ...about }
}

function after(verdict: Verdict, generation = 2): CustomResource['status'] {
  const status = computeStatus({
    previous: undefined,
    verdict,
    generation,
    requestedAt: undefined,
    now,
  })
  assertInvariants(status, 2)
  return status
}

const blocked = {
  type: 'DeletionBlocked',
  status: 'True',
  reason: 'HasChildren',
  message: 'ci, cd',
} as const

const cases: readonly [string, CustomResource, Health['status'], RegExp][] = [
  ['nothing was written yet', aResource({}), 'Progressing', /not dealt with/],
  [
    'the CRD gave it the first status',
    aResource({ status: { observedGeneration: -1 } }),
    'Progressing',
    /not dealt with/,
  ],
  ['it is done', aResource({ status: after(done('All "well".')) }), 'Healthy', /^All "well"\.$/],
  [
    'it is done for an older generation',
    aResource({ status: after(done('All well.'), 1) }),
    'Progressing',
    /not dealt with/,
  ],
  [
    'it waits for another resource',
    aResource({ status: after(waiting('OrganizationNotReady', 'acme is not Ready.')) }),
    'Progressing',
    /acme is not Ready/,
  ],
  [
    'an attempt failed and is tried again',
    aResource({ status: after({ outcome: 'fault', message: 'PostgreSQL is away.' }) }),
    'Progressing',
    /PostgreSQL is away/,
  ],
  [
    'somebody must change the spec',
    aResource({ status: after(stalled('Conflict', 'acme/ci owns it.\nChoose – another.')) }),
    'Degraded',
    /^acme\/ci owns it\.\nChoose – another\.$/,
  ],
  [
    'it was stalled for an older generation',
    aResource({ status: after(stalled('Conflict', 'acme/ci owns it.'), 1) }),
    'Progressing',
    /not dealt with/,
  ],
  [
    'it is suspended',
    aResource({ spec: { suspend: true }, status: after(done('All well.')) }),
    'Suspended',
    /suspend/,
  ],
  [
    'it is deleted',
    aResource({ deleted: true, status: after(done('All well.')) }),
    'Progressing',
    /Being deleted/,
  ],
  [
    'it is deleted and suspended',
    aResource({ deleted: true, spec: { suspend: true } }),
    'Progressing',
    /Being deleted/,
  ],
  [
    'its deletion is blocked',
    aResource({
      deleted: true,
      status: after(waiting('HasChildren', 'ci', { conditions: [blocked] })),
    }),
    'Progressing',
    /ci, cd/,
  ],
]

describe('the Argo CD health check', () => {
  test.each(cases)('when %s', async (_, resource, status, message) => {
    const health = await healthOf(resource)
    expect(health).toEqual({ status, message: expect.stringMatching(message) })
    if (status !== 'Suspended' && resource.status) expect(said[kstatus(resource)]).toBe(status)
  })

  test('agrees with kstatus about every status that a resource with one can have', async () => {
    const value = fc.constantFrom('True', 'False', 'Unknown')
    // Ready is always present, Reconciling and Stalled exclude each other: status.ts promises both.
    const conditions = fc
      .tuple(
        fc.record({ type: fc.constant('Ready'), status: value }),
        fc.record({ type: fc.constantFrom('Reconciling', 'Stalled', 'Other'), status: value }),
        fc.record({ type: fc.constant('DeletionBlocked'), status: value }),
      )
      .chain((all) => fc.shuffledSubarray(all, { minLength: 1 }))
      .filter((list) => list.some(({ type }) => type === 'Ready'))
    await fc.assert(
      fc.asyncProperty(
        conditions,
        fc.constantFrom(-1, 1, 2),
        fc.boolean(),
        async (list, observedGeneration, deleted) => {
          const status = { observedGeneration, conditions: list.map(aCondition) }
          const resource = aResource({ deleted, status })
          expect((await healthOf(resource)).status).toBe(said[kstatus(resource)])
        },
      ),
      { numRuns: 100 },
    )
  })

  test('is merged into the ConfigMap of Argo CD, for every kind', async () => {
    const cluster = testCluster()
    const namespace = `--namespace=${await cluster.namespace()}`
    const create = ['create', 'configmap', 'argocd-cm', '--from-literal=url=https://argocd.example']
    await cluster.kubectl([...create, namespace])
    const patch = ['patch', 'configmap', 'argocd-cm', namespace]
    // The file names Argo CD's own namespace; a patch is for the one that is asked.
    const file = (await readFile('config/argocd/argocd-cm.yaml', 'utf8')).replace(
      'namespace: argocd',
      namespace.replace('--namespace=', 'namespace: '),
    )
    await cluster.kubectl([...patch, `--patch=${file}`])
    const get = ['get', 'configmap', 'argocd-cm', namespace, '--output=json']
    const { data } = JSON.parse(await cluster.kubectl(get)) as { data: Record<string, string> }
    const checks = kinds.map(({ kind }) => [
      `resource.customizations.health.cardea.dev_${kind}`,
      script,
    ])
    expect(data).toEqual({ url: 'https://argocd.example', ...Object.fromEntries(checks) })
  })
})
