import { expect, test } from 'vitest'
import type { KekVersion, WrappedCount } from '../../db/encryption.ts'
import { organizationWork, Progress } from './progress.ts'

const line = 'vault:transit/acme'
const kek = (version: string): KekVersion => ({
  provider: 'vault',
  keyId: 'transit/acme',
  version,
})
const counted = (organizationId: string, wrapped: number, version?: string): WrappedCount => ({
  organizationId,
  namespace: 'acme',
  name: organizationId,
  encryptionKey: { provider: 'vault', mount: 'transit', name: 'acme' },
  kek: version === undefined ? undefined : kek(version),
  wrapped,
})
const work = organizationWork([
  counted('a', 3, '1'),
  counted('a', 4, '2'),
  counted('b', 5, '1'),
  counted('c', 0),
])

test('the counts of an organization come together, and one without any is there too', () => {
  expect(work.map(({ name, wrapped }) => [name, wrapped.map(({ count }) => count)])).toEqual([
    ['a', [3, 4]],
    ['b', [5]],
    ['c', []],
  ])
})

test('nothing is said before all were counted: 0 would mean that the former version is needed no more', () => {
  const progress = new Progress()
  expect(progress.staleUnder(line)).toBeUndefined()
  progress.keep(work)
  expect(progress.staleUnder(line)).toBeUndefined()
  for (const organization of work) progress.found(organization, kek('2'))
  expect(progress.staleUnder(line)).toBe(8)
  expect(progress.staleUnder(line, 'other')).toBe(0)
  expect(progress.staleUnder(null)).toBe(0)
})

test('what is wrapped anew is counted down, and an organization that is gone is forgotten', () => {
  const progress = new Progress()
  progress.keep(work)
  for (const organization of work) progress.found(organization, kek('2'))
  const [first] = work
  if (first) progress.rewrapped(first, 2)
  expect(progress.staleUnder(line, 'acme')).toBe(6)
  progress.keep(work.slice(0, 1))
  expect(progress.staleUnder(line)).toBe(1)
})

test('the count of an organization that chose another key is not taken for that key', () => {
  const progress = new Progress()
  progress.keep(work)
  for (const organization of work) progress.found(organization, kek('2'))
  const encryptionKey = { provider: 'vault', mount: 'transit', name: 'next' }
  progress.keep(organizationWork([{ ...counted('a', 7, '1'), encryptionKey }]))
  expect(progress.staleUnder('vault:transit/next')).toBeUndefined()
  expect(progress.staleUnder(line)).toBe(0)
})
