const hex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** The 16 bytes of a UUID, as latin1 characters. @param text in lower case, as PostgreSQL writes it */
export function uuidBytes(text: string): string {
  return Buffer.from(text.replaceAll('-', ''), 'hex').toString('latin1')
}

/** The text of a UUID of these 16 latin1 characters (RFC 9562, section 4). */
export function uuidText(bytes: string): string {
  const pair = (at: number) => pairOf(bytes.charCodeAt(at)) + pairOf(bytes.charCodeAt(at + 1))
  return `${pair(0)}${pair(2)}-${pair(4)}-${pair(6)}-${pair(8)}-${pair(10)}${pair(12)}${pair(14)}`
}

function pairOf(byte: number): string {
  return hex[byte] as string
}
