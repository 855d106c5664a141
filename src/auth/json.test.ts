import fc from 'fast-check'
import { expect, test } from 'vitest'
import { InvalidRequestError } from './form.ts'
import { readJson } from './json.ts'

const read = (text: string) => readJson(Buffer.from(text))

test('JSON is read as JSON.parse reads it', () => {
  fc.assert(
    fc.property(fc.json({ noUnicodeString: false }), fc.boolean(), (text, spaced) => {
      const value: unknown = JSON.parse(text)
      if (text.includes('"__proto__"')) return
      expect(read(spaced ? JSON.stringify(value, null, '\t') : text)).toEqual(value)
    }),
  )
})

test.each([
  ['a name twice', '{"a":1,"a":1}'],
  ['a name twice, far apart', '{"a":{"b":[1,{"c":2}]},"b":3,"a":4}'],
  ['a name twice, in other characters', '{"a":1,"\\u0061":2}'],
  ['a name twice, inside', '[{"x":{"a":1,"b":2,"a":3}}]'],
  ['a name twice, with spaces', '{"a" :1,"a"\n:2}'],
  ['a prototype', '{"__proto__":{}}'],
  ['a prototype in other characters', '{"\\u005f_proto__":{}}'],
  ['a byte order mark', '\ufeff{}'],
  ['nothing', ''],
  ['two values', '{}{}'],
  ['a comment', '{}//'],
  ['a trailing comma', '{"a":1,}'],
  ['lists without end', '['.repeat(33) + ']'.repeat(33)],
])('%s is refused', (_name, text) => {
  expect(() => read(text)).toThrow(InvalidRequestError)
})

test.each([
  ['the same name in two objects', '[{"a":1},{"a":2}]'],
  ['a name as a value', '{"a":"a","b":"a"}'],
  ['what looks like a name, in a text', '{"a":"\\"a\\":1","b":"{\\"a\\":"}'],
  ['names by another case', '{"a":1,"A":2}'],
  ['a text that ends with a backslash', '{"a":"\\\\","b":"\\\\\\""}'],
])('%s is not', (_name, text) => {
  expect(read(text)).toEqual(JSON.parse(text))
})

test.each([[[0x22, 0xff, 0x22]], [[0x22, 0xc0, 0xaf, 0x22]], [[0x22, 0xed, 0xa0, 0x80, 0x22]]])(
  'bytes that are not UTF-8 are refused: %j',
  (bytes) => {
    expect(() => readJson(Uint8Array.from(bytes))).toThrow(InvalidRequestError)
  },
)

test('a long text takes no long time', () => {
  const text = JSON.stringify({ a: '\\'.repeat(60_000), b: '"'.repeat(60_000) })
  const started = performance.now()
  read(text)
  read(`"${'\\\\'.repeat(100_000)}"`)
  expect(performance.now() - started).toBeLessThan(500)
})
