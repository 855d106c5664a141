import { mintApiKey, readApiKey } from './apikey.ts'

const prefix = 'device'

/**
 * Writes the text of the cookie that a browser is known again by, in the format of an API key.
 * @param random exactly 32 bytes of a cryptographic generator
 */
export function mintDevice(random: Uint8Array): string {
  return mintApiKey(prefix, random)
}

/** Whether a text can be such a cookie's, from its characters alone. */
export function isDeviceText(text: string | undefined): text is string {
  return text !== undefined && text.startsWith(`${prefix}_`) && readApiKey(text) === 'cardea'
}
