import { beforeEach, expect, test } from 'vitest'
import { anIndexedOrganization } from '../../../test/support/build/indexed.ts'
import { CredentialIndex } from './credentialindex.ts'

let index: CredentialIndex
const acme = anIndexedOrganization({
  id: 'A',
  domains: ['Acme.Example', 'acme.test'],
  origins: ['https://app.acme.example'],
})
const bolt = anIndexedOrganization({ id: 'B', name: 'bolt', domains: ['acme.test'] })
const namesOf = (domain: string) => index.tenantsOfDomain(domain).map(({ name }) => name)

beforeEach(() => {
  index = new CredentialIndex()
  index.setOrganizations([acme, bolt])
})

test('organizations are found by name, by domain and by origin', () => {
  expect(index.tenantByName('acme')?.id).toBe('A')
  expect(namesOf('acme.example')).toEqual(['acme'])
  expect(namesOf('acme.test')).toEqual(['acme', 'bolt'])
  expect(namesOf('example')).toEqual([])
  expect(index.isOrigin('https://app.acme.example')).toBe(true)
  expect(index.isOrigin('https://app.acme.example:8443')).toBe(false)
})

test('one that is gone is found by nothing', () => {
  index.setOrganization('A', undefined)
  expect(index.tenantByName('acme')).toBeUndefined()
  expect([namesOf('acme.example'), namesOf('acme.test')]).toEqual([[], ['bolt']])
  expect(index.isOrigin('https://app.acme.example')).toBe(false)
})

test('what it said of itself before is forgotten', () => {
  index.setOrganizations([{ ...acme, name: 'apex', domains: [], origins: [] }])
  expect(index.tenantByName('acme')).toBeUndefined()
  expect(index.tenantByName('apex')?.id).toBe('A')
  expect([namesOf('acme.example'), index.isOrigin('https://app.acme.example')]).toEqual([[], false])
})

test('a name may pass from one to another, in either order', () => {
  index.setOrganization('B', { ...bolt, name: 'acme' })
  index.setOrganization('A', { ...acme, name: 'apex' })
  expect([index.tenantByName('acme')?.id, index.tenantByName('apex')?.id]).toEqual(['B', 'A'])
})

test('an origin that two have is one until both are without it', () => {
  index.setOrganization('B', { ...bolt, origins: acme.origins })
  index.setOrganization('A', { ...acme, origins: [] })
  expect(index.isOrigin('https://app.acme.example')).toBe(true)
  index.setOrganization('B', undefined)
  expect(index.isOrigin('https://app.acme.example')).toBe(false)
})
