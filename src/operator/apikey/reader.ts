import type { APIKey } from '../../api/v1alpha1/apikey.ts'
import type { KeyManagement } from '../../kms/keymanagement.ts'
import type { OperatorDependencies } from '../dependencies.ts'

/**
 * Opens the envelopes of an API key, by the keys that its namespace may use, and leaves a line in the log of each.
 * @param purpose what it is opened for: a few words for people
 */
export function readerFor(
  { keyring, logger }: Pick<OperatorDependencies, 'keyring' | 'logger'>,
  { metadata }: APIKey,
  purpose: string,
): Pick<KeyManagement, 'unwrap'> {
  const { namespace, name } = metadata
  return {
    async unwrap(wrapped, context, signal) {
      const key = await keyring.of(namespace).unwrap(wrapped, context, signal)
      const { provider, keyId, version } = wrapped
      const detail = { namespace, name, provider, keyId, version, purpose }
      logger.info(detail, 'the envelope of an API key was unwrapped')
      return key
    },
  }
}
