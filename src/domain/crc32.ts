const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1
  return value
})

/**
 * CRC-32 (ISO-HDLC, as in zlib) of the first `length` characters of an ASCII text. For texts as short as a key this is
 * faster than zlib's, which has to be called.
 */
export function crc32(text: string, length = text.length): number {
  let value = 0xffffffff
  for (let at = 0; at < length; at++) {
    value = (table[(value ^ text.charCodeAt(at)) & 0xff] as number) ^ (value >>> 8)
  }
  return (value ^ 0xffffffff) >>> 0
}
