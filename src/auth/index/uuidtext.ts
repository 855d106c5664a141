const digits = Buffer.from('0123456789abcdef', 'latin1')
/** Where the digits of each byte stand in the text. */
const places = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34] as const
const written = Buffer.alloc(36, '-')

/** The 16 bytes of a UUID, as latin1 characters. @param text in lower case, as PostgreSQL writes it */
export function uuidBytes(text: string): string {
  return Buffer.from(text.replaceAll('-', ''), 'hex').toString('latin1')
}

/** The text of a UUID of these 16 bytes (RFC 9562, section 4). Each check of a session comes through here: one string, of no parts. */
export function uuidText(bytes: Uint8Array): string {
  for (let at = 0; at < 16; at++) {
    const byte = bytes[at] as number
    const place = places[at] as number
    written[place] = digits[byte >>> 4] as number
    written[place + 1] = digits[byte & 15] as number
  }
  return written.toString('latin1')
}
