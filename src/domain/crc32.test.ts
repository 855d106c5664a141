import { crc32 as zlibCrc32 } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { crc32 } from './crc32.ts'

test('it is the checksum of zlib', () => {
  const ascii = fc.string({ unit: 'binary-ascii', maxLength: 80 })
  fc.assert(
    fc.property(ascii, (text) => {
      expect(crc32(text)).toBe(zlibCrc32(text))
    }),
  )
})

test('of a part, it is the checksum of that part', () => {
  expect(crc32('123456789', 9)).toBe(0xcbf43926)
  expect(crc32('123456789 and more', 9)).toBe(0xcbf43926)
})
