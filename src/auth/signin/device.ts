import { isDeviceText } from '../../domain/device.ts'
import { digestToken } from '../../domain/onetimetoken.ts'

/** What a device is looked for by; for what is no device's text, something that finds none. */
export function digestOfDevice(text: string | undefined): Buffer {
  return digestToken(isDeviceText(text) ? text : '')
}
