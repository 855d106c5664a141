const hex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))
/** Before these bytes there is a hyphen (RFC 9562, section 4). */
const hyphens = new Set([4, 6, 8, 10])

/** The 16 bytes of a UUID, as latin1 characters. @param text in lower case, as PostgreSQL writes it */
export function uuidBytes(text: string): string {
  return Buffer.from(text.replaceAll('-', ''), 'hex').toString('latin1')
}

/** The text of a UUID of these 16 latin1 characters. */
export function uuidText(bytes: string): string {
  let text = ''
  for (let at = 0; at < 16; at++) {
    if (hyphens.has(at)) text += '-'
    text += hex[bytes.charCodeAt(at)]
  }
  return text
}
