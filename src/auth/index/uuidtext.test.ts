import fc from 'fast-check'
import { expect, test } from 'vitest'
import { uuidBytes, uuidText } from './uuidtext.ts'

test('the text of the bytes of a UUID is that UUID', () => {
  fc.assert(
    fc.property(fc.uuid(), (uuid) => {
      expect(uuidText(Buffer.from(uuidBytes(uuid), 'latin1'))).toBe(uuid)
    }),
  )
})

test('a text that was given out stays as it is when another one is written', () => {
  const first = uuidText(new Uint8Array(16).fill(0xab))
  uuidText(new Uint8Array(16))
  expect(first).toBe('abababab-abab-abab-abab-abababababab')
})
