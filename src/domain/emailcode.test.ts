import { expect, test } from 'vitest'
import { readEmailCode, subjectOfNobody, writeEmailCode } from './emailcode.ts'

test('a code has six digits, leading zeros too', () => {
  expect([0, 7, 999_999].map(writeEmailCode)).toEqual(['000000', '000007', '999999'])
  for (const bad of [-1, 1_000_000, 0.5, Number.NaN]) {
    expect(() => writeEmailCode(bad)).toThrow(RangeError)
  }
})

test.each([
  ['123456', '123456'],
  [' 123 456\n', '123456'],
  ['12345', undefined],
  ['1234567', undefined],
  ['12345a', undefined],
  ['１２３４５６', undefined],
  ['', undefined],
])('of %j is read %j', (text, code) => {
  expect(readEmailCode(text)).toBe(code)
})

test('what stands for nobody is a UUID of version 8, one for each address of each organization', () => {
  const one = subjectOfNobody('acme', 'a@acme.example')
  expect(one).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(subjectOfNobody('acme', 'a@acme.example')).toBe(one)
  expect(subjectOfNobody('globex', 'a@acme.example')).not.toBe(one)
  expect(subjectOfNobody('acme', 'b@acme.example')).not.toBe(one)
})
