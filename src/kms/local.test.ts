import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { keyManagementContract } from '../../test/support/keymanagement.ts'
import { localKeyManagement } from './local.ts'

const key = () => randomBytes(32).toString('base64')

describe('the contract', () => {
  const [one, two] = [key(), key()]
  keyManagementContract(async () => ({
    kms: localKeyManagement(one),
    another: localKeyManagement(two),
  }))
})

test('a version that was added last wraps, an older one still opens', async () => {
  const [first, second] = [key(), key()]
  const before = localKeyManagement(`${first}\n`)
  const after = localKeyManagement(`# rotated in spring\n${first}\n${second}\n`)
  const dataKey = randomBytes(32)
  const old = await before.wrap(dataKey, { a: 'b' })
  expect(await after.unwrap(old, { a: 'b' })).toEqual(dataKey)
  expect((await after.wrap(dataKey, { a: 'b' })).version).toBe('2')
})

test.each([
  ['empty', '', 'holds no key'],
  ['only comments', '# nothing\n', 'holds no key'],
  ['a short key', 'c2hvcnQ=\n', 'key 1 of the key file'],
  ['not base64', `${'!'.repeat(44)}\n`, 'key 1 of the key file'],
])('a key file that is %s is refused', (_, file, message) => {
  expect(() => localKeyManagement(file)).toThrow(message)
})
