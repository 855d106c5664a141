import { expect, test } from 'vitest'
import { canonicalOrganizationName } from './organizationname.ts'

test.each([
  ['acme', 'acme'],
  ['Acme', 'acme'],
  [' ACME-2 ', 'acme-2'],
])('%j means the organization %s', (text, name) => {
  expect(canonicalOrganizationName(text)).toBe(name)
})

test.each(['', ' ', 'Acme Inc.', '-acme', 'acme-', 'a'.repeat(64), 'acme\0'])(
  '%j is the name of none',
  (text) => {
    expect(canonicalOrganizationName(text)).toBeUndefined()
  },
)
