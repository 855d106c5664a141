import { describe, expect, test } from 'vitest'
import { find, type Rendered, render } from './helm.ts'
import { installations } from './values.ts'

interface Rule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly resourceNames?: readonly string[]
  readonly verbs: readonly string[]
}

const rulesOf = (objects: readonly Rendered[]): readonly Rule[] =>
  objects.filter(({ kind }) => /^(Cluster)?Role$/.test(kind)).flatMap((role) => role['rules'])

describe.each(Object.entries(installations))('with %s', (_, values) => {
  test('no rule is a wildcard, and none leads to more than it says', () => {
    for (const { apiGroups, resources, verbs } of rulesOf(render(values))) {
      expect([...apiGroups, ...resources, ...verbs].join(' ')).not.toContain('*')
      for (const verb of ['escalate', 'bind', 'impersonate', 'approve', 'sign']) {
        expect(verbs).not.toContain(verb)
      }
      for (const resource of ['serviceaccounts/token', 'pods', 'pods/exec', 'roles', 'nodes']) {
        expect(resources).not.toContain(resource)
      }
    }
  })

  test('nobody but the operator is bound to anything', () => {
    const bindings = render(values).filter(({ kind }) => kind.endsWith('RoleBinding'))
    for (const binding of bindings) {
      expect(binding['subjects']).toEqual([
        { kind: 'ServiceAccount', name: 'cardea-operator', namespace: 'cardea-system' },
      ])
    }
  })
})

test('the operator may do what its client does, and no more', () => {
  const rules = find(render(), 'ClusterRole', 'cardea-operator')['rules'] as readonly Rule[]
  const granted = rules.map(({ apiGroups, resources, verbs }) => [
    apiGroups.join(),
    resources[0],
    verbs.join(' '),
  ])
  expect(granted).toEqual([
    ['cardea.dev', 'apikeys', 'get list watch patch'],
    ['cardea.dev', 'apikeys/status', 'patch'],
    ['cardea.dev', 'apikeys/finalizers', 'update'],
    ['', 'secrets', 'get list watch create patch delete'],
    ['events.k8s.io', 'events', 'create patch'],
  ])
})

test('the lease is one by name, for everything that can be limited by name', () => {
  const { rules } = find(render(), 'Role', 'cardea-operator-lease') as unknown as {
    rules: readonly Rule[]
  }
  expect(rules.map(({ resourceNames, verbs }) => [resourceNames, verbs])).toEqual([
    [undefined, ['create']],
    [['cardea-operator'], ['get', 'update']],
  ])
})

test.each(['view', 'edit'])('who may %s a namespace never writes a status', (name) => {
  const role = find(render(), 'ClusterRole', `cardea-${name}`)
  expect(role.metadata.labels).toHaveProperty([`rbac.authorization.k8s.io/aggregate-to-${name}`])
  const [rule] = role['rules'] as readonly Rule[]
  expect(rule?.resources.filter((resource) => resource.includes('/'))).toEqual([])
  const writes = rule?.verbs.some((verb) => !['get', 'list', 'watch'].includes(verb))
  expect(writes).toBe(name === 'edit')
})
