import { sharedText } from './sharedtext.ts'

const plain = /^[A-Za-z0-9._~:/@+-]*$/

/**
 * A name as a response header can carry it: what is not plain is percent-encoded, byte by byte, so no name can end a
 * header, begin another, or break out of a JSON string. Different names stay different.
 */
export function percentEncoded(name: string): string {
  if (plain.test(name)) return name
  let text = ''
  for (const byte of Buffer.from(name)) {
    const character = String.fromCharCode(byte)
    text += byte < 0x80 && plain.test(character) ? character : percent(byte)
  }
  return text
}

/** The same for a name that many records have: it is one string for all of them. */
export function headerText(name: string): string {
  return sharedText(percentEncoded(name))
}

function percent(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
}
