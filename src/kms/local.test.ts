import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { keyManagementContract } from '../../test/support/keymanagement.ts'
import { localKeyManagement, readKeyFile } from './local.ts'

const key = () => randomBytes(32).toString('base64')

describe('the contract', () => {
  const make = async () => {
    let [file, state] = [key(), '']
    const other = key()
    return {
      kms: localKeyManagement(() => `${file}\n${state}`),
      another: localKeyManagement(() => other),
      administrator: {
        async disable() {
          state = 'state: disabled'
        },
        async enable() {
          state = ''
        },
        async scheduleDeletion() {
          state = 'state: pending-deletion'
        },
        async rotate() {
          file = `${file}\n${key()}`
        },
      },
    }
  }
  keyManagementContract(make, { hasWire: false })
})

test('comments are passed over', () => {
  expect(readKeyFile(`# rotated in spring\n${key()}\n\n${key()}\n`).keys).toHaveLength(2)
})

test.each([
  ['empty', '', 'holds no key'],
  ['only comments', '# nothing\n', 'holds no key'],
  ['a short key', 'c2hvcnQ=\n', 'key 1 of the key file'],
  ['not base64', `${'!'.repeat(44)}\n`, 'key 1 of the key file'],
])('a key file that is %s is refused', (_, file, message) => {
  expect(() => readKeyFile(file)).toThrow(message)
})
