import { readdirSync, readFileSync } from 'node:fs'
import { loadAll } from 'js-yaml'
import { beforeAll, describe, expect, test } from 'vitest'
import type { APIKeyStatus } from '../../src/api/v1alpha1/apikey.ts'
import { apiKeyKind } from '../../src/api/v1alpha1/apikey.ts'
import { encryptionKeyKind } from '../../src/api/v1alpha1/encryptionkey.ts'
import { kinds } from '../../src/api/v1alpha1/kinds.ts'
import { organizationKind } from '../../src/api/v1alpha1/organization.ts'
import { builtInRoleNames } from '../../src/api/v1alpha1/rbacrole.ts'
import type { KindDefinition } from '../../src/api/v1alpha1/resource.ts'
import { builtInRoles } from '../../src/domain/role.ts'
import { type TestCluster, testCluster } from '../support/controlplane.ts'
import { type Resources, resourcesIn } from '../support/resources.ts'
import { allSpecs } from '../support/specs/all.ts'

interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
  readonly spec?: object
}

let cluster: TestCluster
let resources: Resources

beforeAll(async () => {
  cluster = testCluster()
  resources = resourcesIn(cluster, await cluster.namespace())
})

/** What the kinds say that belong to no organization. */
const explanations = new Map<KindDefinition, string>([
  [
    organizationKind,
    'The email domains of the organization, in lower case, at most 50. With them, only people',
  ],
  [encryptionKeyKind, 'When data keys are replaced, and what is compromised.'],
])

describe.each(kinds)('the CRD of $kind', (kind) => {
  test('is established, structural and without a warning', async () => {
    const crd = JSON.parse(
      await cluster.kubectl(['get', 'crd', `${kind.plural}.${kind.group}`, '-o', 'json']),
    ) as { status: { conditions: { type: string; status: string }[] } }
    const states = crd.status.conditions.map(({ type, status }) => `${type}=${status}`)
    expect(states.sort()).toEqual(['Established=True', 'NamesAccepted=True'])
  })

  test('is reached by its short name and by the category', async () => {
    const names = await cluster.kubectl(['api-resources', '--categories=cardea', '-o', 'name'])
    expect(names.split('\n')).toContain(`${kind.plural}.${kind.group}`)
    await cluster.kubectl(['get', kind.shortNames[0], '-n', 'default'])
  })

  test('explains every field of the spec', async () => {
    const explained = await cluster.kubectl([
      'explain',
      '--recursive=false',
      `${kind.singular}.spec`,
    ])
    expect(explained).not.toContain('<no description>')
    expect(explained.replaceAll(/\s+/g, ' ')).toContain(
      explanations.get(kind) ??
        'The Organization in this namespace that this resource belongs to. It cannot change.',
    )
  })
})

test('the built-in roles are those whose names no RBACRole may have', () => {
  expect([...builtInRoleNames].sort()).toEqual(Object.keys(builtInRoles).sort())
})

describe('a resource that no operator has seen', () => {
  test.each(allSpecs)('has observedGeneration -1: $kind.kind', async ({ kind, valid }) => {
    const { body } = await resources.create(kind, 'unseen', valid)
    expect(body.status).toEqual({ observedGeneration: -1 })
    expect((await resources.read(kind, 'unseen')).body.status).toEqual({ observedGeneration: -1 })
  })

  test('gets nothing into its spec that its author did not write', async () => {
    for (const { kind, valid, accepted } of allSpecs) {
      for (const { change } of accepted) {
        const spec = JSON.parse(JSON.stringify({ ...valid, ...change })) as object
        expect((await resources.judge(kind, 'a', spec)).body.spec).toEqual(spec)
      }
    }
  })
})

describe('the status of an APIKey', () => {
  const at = '2026-11-21T10:00:00Z'
  const status: APIKeyStatus = {
    id: '0197c0de-0000-7000-8000-000000000000',
    observedGeneration: 1,
    lastHandledReconcileAt: at,
    lastHandledRotateAt: at,
    conditions: [
      {
        type: 'Ready',
        status: 'True',
        observedGeneration: 1,
        lastTransitionTime: at,
        reason: 'Succeeded',
        message: 'The key is delivered.',
      },
    ],
    prefix: 'ck',
    keys: [
      { id: 'new', lastFour: 'x7Qa', createdAt: at, state: 'Active' },
      { id: 'old', lastFour: 'b001', createdAt: at, expiresAt: at, state: 'Retiring' },
    ],
    expiresAt: at,
    nextRotationAt: at,
    secretName: 'ci-key',
  }

  test('takes everything that the operator has to say', async () => {
    await resources.create(apiKeyKind, 'reported', {
      organizationRef: { name: 'acme' },
      scopes: [],
      secretRef: { name: 'reported' },
    })
    const { body, refusals } = await resources.report(apiKeyKind, 'reported', status)
    expect(refusals).toEqual([])
    expect(body.status).toEqual(status)
  })

  test('shows in kubectl get what one asks first', async () => {
    const shown = await cluster.kubectl(['get', 'key', '-A', '-o', 'wide'])
    expect(shown).toMatch(
      /NAMESPACE +NAME +ORGANIZATION +PROJECT +SECRET +EXPIRES +NEXT ROTATION +READY +REASON +SUSPENDED +MESSAGE +ID +AGE/,
    )
    expect(shown).toMatch(/reported +acme +ci-key +2026-11-21T10:00:00Z .*True +Succeeded/)
  })
})

describe('what the repository offers to apply', () => {
  test('the quickstart is admitted in the order of its files, and once more changes nothing', async () => {
    const apply = ['apply', '--server-side', '-f', 'manifests/quickstart']
    await cluster.kubectl(apply)
    // The first write after the creation stores the default of the status, which until then is made up on each read.
    await cluster.kubectl(apply)
    const before = await versions()
    await cluster.kubectl(apply)
    expect(await versions()).toEqual(before)
    expect(before).toHaveLength(6)
  })

  test('the samples are admitted over the quickstart', async () => {
    await cluster.kubectl(['apply', '--server-side', '--force-conflicts', '-f', 'config/samples'])
  })

  test('what is read back is what was written', async () => {
    for (const manifest of manifestsIn('config/samples')) {
      const { name, namespace = '' } = manifest.metadata
      const kind = kinds.find((one) => one.kind === manifest.kind)
      if (!kind) throw new Error(`${manifest.kind} is not one of ours`)
      const { body } = await resourcesIn(cluster, namespace).read(kind, name)
      expect(body.spec).toEqual(manifest.spec)
    }
  })

  async function versions(): Promise<readonly string[]> {
    const row = '{.kind}/{.metadata.name}@{.metadata.resourceVersion}'
    const template = `jsonpath={range .items[*]}${row}{"\\n"}{end}`
    const list = await cluster.kubectl(['get', 'cardea', '-n', 'acme', '-o', template])
    return list.trim().split('\n').sort()
  }

  function manifestsIn(folder: string): readonly Manifest[] {
    return readdirSync(folder)
      .filter((name) => name.endsWith('.yaml'))
      .flatMap((name) => loadAll(readFileSync(`${folder}/${name}`, 'utf8')) as Manifest[])
  }
})
