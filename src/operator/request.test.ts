import { expect, test } from 'vitest'
import { requestOf } from './request.ts'

const asked = (value: string) => requestOf({ metadata: { annotations: { ask: value } } }, 'ask')

test.each([
  ['what is short stays as it is', '2027-06-30', '2027-06-30'],
  ['what is long is cut', 'x'.repeat(300), 'x'.repeat(253)],
  ['half a character is replaced', `${'x'.repeat(252)}😀`, `${'x'.repeat(252)}\uFFFD`],
  ['NUL is replaced', 'a\0b', 'a\uFFFDb'],
])('%s', (_, value, kept) => {
  expect(asked(value)).toBe(kept)
  expect(asked(kept)).toBe(kept)
})

test('nothing is asked without the annotation', () => {
  expect(requestOf({ metadata: {} }, 'ask')).toBeUndefined()
})
