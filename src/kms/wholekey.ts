import { type KeyManagement, KeyManagementError } from './keymanagement.ts'

/** Bytes. */
const dataKeyLength = 32

/** A KEK that wraps whole data keys only, and believes no key manager that answers with anything else. */
export function withWholeKeys(kms: KeyManagement): KeyManagement {
  return {
    provider: kms.provider,
    async wrap(dataKey, context, signal) {
      expectWhole(dataKey)
      return kms.wrap(dataKey, context, signal)
    },
    async unwrap(wrapped, context, signal) {
      const dataKey = await kms.unwrap(wrapped, context, signal)
      try {
        expectWhole(dataKey)
        return dataKey
      } catch (error) {
        dataKey.fill(0)
        throw error
      }
    },
    describe: (signal) => kms.describe(signal),
    ...(kms.close && { close: async () => kms.close?.() }),
  }
}

/** @throws KeyManagementError `refused` */
function expectWhole(dataKey: Uint8Array): void {
  if (dataKey.length === dataKeyLength) return
  throw new KeyManagementError(
    'refused',
    `a data key has ${dataKeyLength} bytes, and this has ${dataKey.length}`,
  )
}
