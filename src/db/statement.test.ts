import { escapeLiteral } from 'pg'
import { expect, test } from 'vitest'
import { dataKeyOf, dataKeyStatements } from './datakey.ts'
import { recordingUse } from './providercredential.ts'
import { integer, literal } from './statement.ts'

test.each([0, 1, -7, Number.MAX_SAFE_INTEGER])('%i is a whole number', (value) => {
  expect(integer(value)).toBe(String(value))
})

const none = [
  Number.NaN,
  Number.POSITIVE_INFINITY,
  1.5,
  2 ** 53,
  '1; drop schema cardea' as unknown as number,
  undefined as unknown as number,
]

test.each(none)('%s is none', (value) => {
  expect(() => integer(value)).toThrow(TypeError)
})

test.each(none.slice(0, -1))('no statement is made with the version %s', (value) => {
  expect(() => dataKeyOf(value)).toThrow(TypeError)
  expect(() => dataKeyStatements.retirement(value)).toThrow(TypeError)
})

test.each(none)('no use is recorded that is counted as %s, or at the time %s', (value) => {
  const use = { organizationId: 'o', id: 'i', lastUsedAt: 1, uses: 1 }
  expect(() => recordingUse([{ ...use, uses: value }])).toThrow(TypeError)
  expect(() => recordingUse([{ ...use, lastUsedAt: value }])).toThrow(TypeError)
})

test.each([
  '',
  'acme',
  "o'brien",
  "''",
  '\\',
  "\\'",
  "'; drop schema cardea --",
  '\\x00ff',
  '$1',
  'é\n\u{1f511}',
])('%j is quoted as pg does it', (value) => {
  expect(literal(value)).toBe(escapeLiteral(value))
})

test('nothing with a NUL is quoted', () => {
  expect(() => literal('a\0b')).toThrow(TypeError)
})
