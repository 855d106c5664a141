import { expect, test } from 'vitest'
import { z } from 'zod'
import { apiKeyKind } from '../../src/api/v1alpha1/apikey.ts'
import { kinds } from '../../src/api/v1alpha1/kinds.ts'
import { organizationKind } from '../../src/api/v1alpha1/organization.ts'
import { text } from '../../src/api/v1alpha1/text.ts'
import { assertDefaultsTold, fieldsOf } from './fields.ts'
import { table } from './markdown.ts'
import { structuralSchema } from './openapi.ts'
import { indexPage, kindPage } from './page.ts'

const page = kindPage(apiKeyKind, { guide: '## How it works', example: 'kind: APIKey' })

test('a page has a row for each field, with type, default, meaning and example', () => {
  expect(page).toContain(
    '| `rateLimit.burst` | integer, 1 to 1000000 | the same as requests | How many requests may come at once',
  )
  expect(page).toContain('| `allowedCIDRs` | list of networks, 1 to 64 | any | ')
  expect(page).toContain('| `secretRef.format` | `Envelope` or `Plain` | Envelope | ')
  expect(page).toContain('| `scopes` | list of scopes, at most 100 | **required** | ')
  expect(page).toContain('Example: `[scans:read, scans:write]`.')
})

test('a page has every message of a rule at the field that the error names', () => {
  expect(page).toContain(
    '| `spec.rotation.overlap` | rotation.overlap must be shorter than rotation.every',
  )
  expect(page).toContain('| `spec` | exactly one of secretRef and digest must be set')
})

test('a page explains the reasons of its kind and no others', () => {
  expect(page).toContain('| `DuplicateDigest` | Stalled | author | ')
  expect(page).not.toContain('RoleNotFound')
  expect(page).not.toContain('DeletionBlocked')
})

test('the index links every kind', () => {
  const index = indexPage(kinds, '')
  for (const kind of kinds) expect(index).toContain(`| [${kind.kind}](${kind.singular}.md) | \``)
  // What a reason means for one kind alone stands below what it means for the others.
  expect(index).toMatch(
    /^\| `SecretNotFound` \|.*\n\| `SecretNotFound` of a ProviderCredential \|/m,
  )
})

test('fields are listed depth first, with the elements of lists', () => {
  const schema = structuralSchema(organizationKind.spec, 'x')
  const paths = fieldsOf(schema).map(({ path }) => path)
  expect(paths.slice(0, 7)).toEqual([
    'displayName',
    'domains',
    'owners',
    'management',
    'scopes',
    'scopes[].name',
    'scopes[].description',
  ])
})

test('an optional field must tell its default', () => {
  const silent = z.strictObject({ a: text(3).describe('Something.').optional() })
  expect(() => assertDefaultsTold(structuralSchema(silent, 'x'), 'x')).toThrow(
    'x.a: the description',
  )
})

test('a cell of a table cannot end its row', () => {
  expect(table(['a'], [['x | y\nz']])).toBe('| a |\n| --- |\n| x \\| y z |')
})
