import { expect, test } from 'vitest'
import type { OrganizationHint } from '../people.ts'
import { organizationMeant } from './organizations.ts'

const [acme, globex] = [
  { id: '1', name: 'acme' },
  { id: '2', name: 'globex' },
]
const organizations = {
  byName: (name: string) => [acme, globex].find((each) => each?.name === name),
  byDomain: (domain: string) =>
    ({ 'acme.example': [acme], 'shared.example': [acme, globex] })[domain]?.flatMap(
      (each) => each ?? [],
    ) ?? [],
}
const suffix = '.id.example.com'

test.each<[string, OrganizationHint, string | undefined, string | undefined]>([
  ['by its name', { name: 'globex' }, 'a@acme.example', 'globex'],
  [
    'by its name before the host',
    { name: 'globex', host: 'acme.id.example.com' },
    undefined,
    'globex',
  ],
  ['by its host', { host: 'acme.id.example.com' }, undefined, 'acme'],
  ['by its host in capitals', { host: 'ACME.ID.example.com' }, undefined, 'acme'],
  ['by its host before the domain', { host: 'globex.id.example.com' }, 'a@acme.example', 'globex'],
  ['by the domain', { host: 'id.example.com' }, 'a@acme.example', 'acme'],
  ['by nothing where two have the domain', {}, 'a@shared.example', undefined],
  ['by nothing where none has the domain', {}, 'a@elsewhere.example', undefined],
  ['by nothing where the name is unknown', { name: 'umbrella' }, 'a@acme.example', undefined],
  [
    'by nothing where the host is unknown',
    { host: 'umbrella.id.example.com' },
    'a@acme.example',
    undefined,
  ],
  ['not by two labels', { host: 'x.acme.id.example.com' }, undefined, undefined],
  [
    'not by the end of another host',
    { host: 'acme.id.example.com.evil.example' },
    undefined,
    undefined,
  ],
  ['by an empty name as by none', { name: '' }, 'a@acme.example', 'acme'],
])('an organization is meant %s', (_name, hint, email, expected) => {
  expect(organizationMeant(hint, email, organizations, suffix)?.name).toBe(expected)
})
