import { DataKeys, type DataKeysOptions } from '../encryption/datakeys.ts'

/** Milliseconds between two looks for keys that are over. */
const sweepInterval = 30_000

/** The data keys of a program: those that nobody asks for again are zeroed soon after their time. */
export function openDataKeys(options: Omit<DataKeysOptions, 'now'>): DataKeys {
  const dataKeys = new DataKeys({ ...options, now: () => performance.now() })
  setInterval(() => dataKeys.sweep(), sweepInterval).unref()
  return dataKeys
}
