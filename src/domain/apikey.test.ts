import fc from 'fast-check'
import { expect, test } from 'vitest'
import { digestApiKey, lastFour, mintApiKey, readApiKey, withoutApiKeys } from './apikey.ts'

const prefixes = fc.stringMatching(/^[a-z][a-z0-9]{1,9}$/)
const random32 = fc.uint8Array({ minLength: 32, maxLength: 32 })

test('a minted key is of the published format and its checksum holds', () => {
  fc.assert(
    fc.property(prefixes, random32, (prefix, random) => {
      const key = mintApiKey(prefix, random)
      expect(key).toMatch(/^[a-z][a-z0-9]{1,9}_[0-9A-Za-z]{49}$/)
      expect(readApiKey(key)).toBe('cardea')
    }),
  )
})

test('different bytes make different keys', () => {
  fc.assert(
    fc.property(random32, random32, (a, b) => {
      fc.pre(Buffer.compare(a, b) !== 0)
      expect(mintApiKey('ck', a)).not.toBe(mintApiKey('ck', b))
    }),
  )
})

test('one changed character, wherever it is, is told by the checksum', () => {
  const key = mintApiKey('ck', new Uint8Array(32).fill(7))
  for (let at = 3; at < key.length; at++) {
    const other = key[at] === 'x' ? 'y' : 'x'
    expect(readApiKey(key.slice(0, at) + other + key.slice(at + 1)), `position ${at}`).toBe(
      'foreign',
    )
  }
})

test.each([
  ['empty', ''],
  ['too short', 'ck_abc'],
  ['too long', 'x'.repeat(257)],
  ['with a space', 'sk-live 0123456789abcdef'],
  ['with a line break', 'sk-live-0123456789abcdef\n'],
  ['not ASCII', 'ck_ünïcödé0123456789'],
])('a credential that is %s is malformed', (_, text) => {
  expect(readApiKey(text)).toBe('malformed')
})

test('a key minted elsewhere is foreign', () => {
  expect(readApiKey('sk-live-0123456789abcdef')).toBe('foreign')
})

test('a key needs 32 bytes', () => {
  expect(() => mintApiKey('ck', new Uint8Array(31))).toThrow(RangeError)
})

test('the published vector', () => {
  const key = mintApiKey(
    'sm',
    Uint8Array.from({ length: 32 }, (_, i) => i),
  )
  expect(key).toMatchInlineSnapshot(`"sm_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf3VoMSW"`)
  expect(lastFour(key)).toBe(key.slice(-4))
  expect(digestApiKey(key).toString('hex')).toMatchInlineSnapshot(
    `"6713279bb82cde3d4855d58bf8899b7921f37f1d8d3ddbf4b712ede15156f9c0"`,
  )
})

test('a key is left out of a text wherever it stands, and the rest stays', () => {
  fc.assert(
    fc.property(prefixes, random32, (prefix, random) => {
      const key = mintApiKey(prefix, random)
      expect(withoutApiKeys(`/files/${key}/${key.slice(0, -4)}?`)).toBe(
        '/files/[redacted]/[redacted]?',
      )
    }),
  )
  for (const text of [
    '/scans/2026-11',
    'req_0123456789abcdef',
    '00-4bf92f3577b34da6a3ce929d0e0e4736-01',
  ])
    expect(withoutApiKeys(text)).toBe(text)
})
