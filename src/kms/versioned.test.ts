import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import type { WrappedKey } from './keymanagement.ts'
import { splitVersion, withVersion } from './versioned.ts'

const dataKey = randomBytes(32)
const made = randomBytes(60)
const context = { organization: 'acme' }

function wrapped(change: Partial<WrappedKey> = {}): WrappedKey {
  const ciphertext = withVersion('12', made, dataKey, context)
  return { provider: 'gcp', keyId: 'k', version: '12', ciphertext, ...change }
}

test('what was put together comes apart', () => {
  const parts = splitVersion(wrapped())
  expect(parts?.ciphertext).toEqual(made)
  expect(() => parts?.expect(dataKey, context)).not.toThrow()
})

test.each(['1', '2', '13', '12:', '', '12:1'])('another version is noticed: "%s"', (version) => {
  expect(splitVersion(wrapped({ version }))).toBeUndefined()
})

test('a version that is changed within and without is noticed by the proof', () => {
  const { ciphertext } = wrapped()
  const relabelled = Buffer.concat([Buffer.from('13'), ciphertext.subarray(2)])
  const parts = splitVersion(wrapped({ version: '13', ciphertext: relabelled }))
  expect(parts?.ciphertext).toEqual(made)
  expect(() => parts?.expect(dataKey, context)).toThrow('altered or was made for another place')
})

test.each([
  ['data key', randomBytes(32), context],
  ['context', dataKey, { organization: 'other' }],
] as const)('another %s is noticed', (_, key, place) => {
  expect(() => splitVersion(wrapped())?.expect(key, place)).toThrow('altered')
})

test.each([0, 1, 3, 32, 35])('what is cut to %i bytes is nothing of the sort', (length) => {
  const ciphertext = wrapped().ciphertext.subarray(0, length)
  expect(splitVersion(wrapped({ ciphertext }))).toBeUndefined()
})
