import { expect, test } from 'vitest'
import { crc32c } from './crc32c.ts'

const ascending = Uint8Array.from({ length: 32 }, (_, index) => index)

/** RFC 3720, appendix B.4, which writes the bytes in the order of the wire. */
test.each([
  ['32 bytes of zeroes', new Uint8Array(32), 'aa36918a'],
  ['32 bytes of ones', new Uint8Array(32).fill(0xff), '43aba862'],
  ['32 bytes that ascend', ascending, '4e79dd46'],
  ['32 bytes that descend', ascending.toReversed(), '5cdb3f11'],
])('the checksum of %s is as the standard says', (_, bytes, onTheWire) => {
  const checksum = Buffer.alloc(4)
  checksum.writeUInt32LE(crc32c(bytes))
  expect(checksum.toString('hex')).toBe(onTheWire)
})

test('the checksum of the usual nine digits is the usual one', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283)
})

test('nothing has the checksum 0', () => {
  expect(crc32c(new Uint8Array())).toBe(0)
})
