import { expect, test } from 'vitest'
import { builtInRoles, isBuiltInRole, permits } from './role.ts'

test.each([
  ['the same permission', ['scans:read'], 'scans:read', true],
  ['another verb', ['scans:read'], 'scans:write', false],
  ['every verb of the resource', ['scans:*'], 'scans:write', true],
  ['another resource', ['scans:*'], 'reports:read', false],
  ['a resource that starts alike', ['scan:*'], 'scans:read', false],
  ['a nested resource', ['scans/results:*'], 'scans/results:read', true],
  ['a parent resource', ['scans:*'], 'scans/results:read', false],
  ['everything', ['*:*'], 'anything:read', true],
  ['nothing', [], 'scans:read', false],
])('%s', (_, granted, asked, answer) => {
  expect(permits(granted, asked)).toBe(answer)
})

test('a name from the prototype is no role', () => {
  expect(isBuiltInRole('constructor')).toBe(false)
  expect(isBuiltInRole('owner')).toBe(true)
})

test('only the owner has everything', () => {
  const all = Object.entries(builtInRoles).filter(([, permissions]) => permits(permissions, 'x:y'))
  expect(all.map(([name]) => name)).toEqual(['owner'])
})
