import { expect, test } from 'vitest'
import type { Change } from '../db/changes.ts'
import { wakeHandMade } from './handmade.ts'

const change: Change = {
  organizationId: 'o',
  concept: 'api_key',
  recordId: 'r',
  ownerInstallation: 'default',
  ownerNamespace: 'acme',
  ownerName: 'ci',
  actor: null,
}
const nobody = { ownerInstallation: null, ownerNamespace: null, ownerName: null }

/** What is woken, and which keys are not to be trusted. */
function told(...changes: Partial<Change>[]): { woken: string[]; suspicious: string[] } {
  const woken: string[] = []
  const changedByHand = new Set<string>()
  wakeHandMade(
    changes.map((each) => Object.assign({}, change, each)),
    {
      installation: 'default',
      changedByHand,
      resourceOf: (kind, id) => (id === 'r' ? `${kind}/acme/by-id` : undefined),
      wake: (reference) => void woken.push(reference),
    },
  )
  return { woken, suspicious: [...changedByHand] }
}

test.each<[string, Partial<Change>, string[]]>([
  ['by its owner', {}, ['APIKey/acme/ci']],
  ['of each kind', { concept: 'organization' }, ['Organization/acme/ci']],
  ['of each kind', { concept: 'project' }, ['Project/acme/ci']],
  ['of each kind', { concept: 'role' }, ['RBACRole/acme/ci']],
  ['of each kind', { concept: 'role_binding' }, ['RBACBinding/acme/ci']],
  ['by the id that its status shows, when the row names no owner', nobody, ['APIKey/acme/by-id']],
  ['not, when no resource shows the id', { ...nobody, recordId: 'x' }, []],
  ['not, when it is of another installation', { ownerInstallation: 'west' }, []],
  ['not, when a program of ours made the change', { actor: 'cardea-operator' }, []],
  ['not, when it is of a concept that no resource declares', { concept: 'session' }, []],
])('a resource is woken %s', (_, row, woken) => {
  expect(told(row).woken).toEqual(woken)
})

test('only keys that were changed by hand are remembered, and only as long as a resource has them', () => {
  expect(told({}, { concept: 'project', recordId: 'p' }).suspicious).toEqual(['r'])
  expect(told({ actor: 'cardea-operator' }, { ...nobody, recordId: 'x' }).suspicious).toEqual([])
})
