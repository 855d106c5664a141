import { expect, test } from 'vitest'
import { ownedBy } from '../domain/ownership.ts'
import { conflictMessage, recordEvent } from './declare.ts'

const object = { kind: 'Project', metadata: { name: 'scanner' } }
const other = ownedBy({ installation: 'west', namespace: 'globex', name: 'scanner' })
const api = {
  managedBy: 'api',
  ownerInstallation: null,
  ownerNamespace: null,
  ownerName: null,
} as const

test.each([
  [
    other,
    false,
    'Project "scanner" exists already and belongs to Project globex/scanner of installation west: delete it there with deletionPolicy Delete, or choose another name.',
  ],
  [
    { ...other, deletedAt: new Date() },
    false,
    'Project "scanner" exists already and belongs to the deleted Project globex/scanner of installation west: make it there again with deletionPolicy Delete and delete it, or choose another name.',
  ],
  [
    api,
    true,
    'Project "scanner" exists already and belongs to the HTTP API: set spec.adoptionPolicy to IfUnowned to take it over, delete it there, or choose another name.',
  ],
])('a conflict names the owner and says what to do', (row, adoptable, message) => {
  expect(conflictMessage(object, row, adoptable)).toBe(message)
})

test('an audit event names who did what to which record', () => {
  const record = { organizationId: 'o', id: 'r', name: 'scanner' }
  expect(recordEvent('project', 'updated', record, { fields: ['name'] })).toEqual({
    organizationId: 'o',
    actorKind: 'operator',
    actor: 'cardea-operator',
    action: 'project.updated',
    targetKind: 'project',
    targetId: 'r',
    targetName: 'scanner',
    detail: { fields: ['name'] },
  })
})
