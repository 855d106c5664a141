import type { KeyManagementServiceClient } from '@google-cloud/kms'
import { crc32c } from './crc32c.ts'
import { gcpError, LoginError } from './gcperror.ts'
import { untilGivenUp } from './giveup.ts'
import {
  contextBytes,
  type KeyManagement,
  KeyManagementError,
  type WrappedKey,
} from './keymanagement.ts'
import type { KeyReference } from './reference.ts'
import { splitVersion, type Versioned, withVersion } from './versioned.ts'

/** One attempt, and none that goes on for long after its caller left: `patient` repeats. Milliseconds. */
const once = { timeout: 10_000, retry: { retryCodes: [] } }

/** A connection that died without a word is noticed while a call waits on it, not by TCP a quarter of an hour later. */
const keepalive = { 'grpc.keepalive_time_ms': 5000, 'grpc.keepalive_timeout_ms': 3000 }

/**
 * A CryptoKey of Google Cloud KMS for encryption and decryption. The context is the additional authenticated data; checksums
 * go with the request and are compared with the answer's. The ciphertext is the service's with the version before it and a proof
 * behind it (`withVersion`).
 *
 * Credentials are the Application Default Credentials: in a pod those of workload identity.
 */
export function gcpKeyManagement(
  { name }: Extract<KeyReference, { provider: 'gcp' }>,
  { endpoint }: { readonly endpoint?: string | undefined },
): KeyManagement {
  let opened: Promise<KeyManagementServiceClient> | undefined

  /** Asks with a client that has logged in. A client that could not log in never tries again, so another takes its place. */
  const ask = async <T>(
    task: 'wrap' | 'unwrap' | 'describe',
    question: (client: KeyManagementServiceClient) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> => {
    const answer = async (): Promise<T> => {
      opened ??= open(name, endpoint)
      const client = await opened.catch((error: unknown) => {
        opened = undefined
        throw new LoginError(error)
      })
      await client.auth.getRequestHeaders().catch((error: unknown) => {
        throw new LoginError(error)
      })
      return question(client)
    }
    try {
      return await untilGivenUp(answer(), `Google Cloud KMS, asked for ${name},`, signal)
    } catch (error) {
      throw gcpError(error, name, task)
    }
  }

  return {
    provider: 'gcp',

    async wrap(dataKey, context, signal) {
      const aad = contextBytes(context)
      const question = {
        name,
        plaintext: dataKey,
        plaintextCrc32c: checksum(dataKey),
        additionalAuthenticatedData: aad,
        additionalAuthenticatedDataCrc32c: checksum(aad),
      }
      const [answer] = await ask('wrap', (client) => client.encrypt(question, { ...once }), signal)
      const ciphertext = bytesOf(answer.ciphertext)
      const arrived =
        answer.verifiedPlaintextCrc32c && answer.verifiedAdditionalAuthenticatedDataCrc32c
      if (!arrived || !matches(ciphertext, answer.ciphertextCrc32c)) throw damaged(name)
      const version = versionOf(answer.name, name)
      const whole = withVersion(version, ciphertext, dataKey, context)
      return { provider: 'gcp', keyId: name, version, ciphertext: whole }
    },

    async unwrap(wrapped, context, signal) {
      const { ciphertext, expect } = expectOwn(wrapped, name)
      const aad = contextBytes(context)
      const question = {
        name,
        ciphertext,
        ciphertextCrc32c: checksum(ciphertext),
        additionalAuthenticatedData: aad,
        additionalAuthenticatedDataCrc32c: checksum(aad),
      }
      const [answer] = await ask(
        'unwrap',
        (client) => client.decrypt(question, { ...once }),
        signal,
      )
      const dataKey = bytesOf(answer.plaintext)
      if (!matches(dataKey, answer.plaintextCrc32c)) throw damaged(name)
      expect(dataKey, context)
      return dataKey
    },

    async describe(signal) {
      const question = { name }
      const [key] = await ask(
        'describe',
        (client) => client.getCryptoKey(question, { ...once }),
        signal,
      )
      if (!key.primary) throw withoutPrimary(name, String(key.purpose))
      return { keyId: name, version: versionOf(key.primary.name, name) }
    },

    async close() {
      const client = await opened?.catch(() => undefined)
      opened = undefined
      await client?.close()
    },
  }
}

/** Loads the SDK with its first use: 40 MB of memory that an installation without such a key does not spend. */
async function open(
  name: string,
  endpoint: string | undefined,
): Promise<KeyManagementServiceClient> {
  const { KeyManagementServiceClient } = await import('@google-cloud/kms')
  const client = new KeyManagementServiceClient({
    ...keepalive,
    ...addressOf(endpoint),
    // Otherwise the SDK looks for a project first: by gcloud, the metadata server and another API, any of which may fail it.
    projectId: name.split('/')[1] ?? '',
  })
  // Here, because the SDK's own calls let this fail as an unhandled rejection, which ends the process.
  await client.initialize()
  return client
}

function addressOf(endpoint: string | undefined): { apiEndpoint?: string; port?: number } {
  const [, apiEndpoint, port] = /^(.+):([0-9]+)$/.exec(endpoint ?? '') ?? []
  return apiEndpoint && port ? { apiEndpoint, port: Number(port) } : {}
}

/** @throws KeyManagementError when the data key is another KEK's, or its version is not the one that it says */
function expectOwn(wrapped: WrappedKey, name: string): Versioned {
  const { provider, keyId, version } = wrapped
  if (provider !== 'gcp' || keyId !== name) {
    throw new KeyManagementError(
      'not_found',
      `the data key was wrapped by ${provider} key ${keyId.slice(0, 200)}, and this is ${name}`,
    )
  }
  const own = splitVersion(wrapped)
  if (own) return own
  throw new KeyManagementError(
    'refused',
    `the data key was not wrapped by version ${version.slice(0, 32)} of ${name}, or was altered since`,
  )
}

function versionOf(resource: string | null | undefined, name: string): string {
  const prefix = `${name}/cryptoKeyVersions/`
  const version = resource?.startsWith(prefix) ? resource.slice(prefix.length) : ''
  if (!/^[1-9][0-9]*$/.test(version)) throw damaged(name)
  return version
}

function bytesOf(bytes: Uint8Array | string | null | undefined): Buffer {
  return typeof bytes === 'string' ? Buffer.from(bytes, 'base64') : Buffer.from(bytes ?? [])
}

function checksum(bytes: Uint8Array): { value: number } {
  return { value: crc32c(bytes) }
}

/** The answer's checksum as the SDK gives a 64-bit number: a string. */
function matches(bytes: Uint8Array, said: { value?: unknown } | null | undefined): boolean {
  return bytes.length > 0 && String(said?.value) === String(crc32c(bytes))
}

function damaged(name: string): KeyManagementError {
  return new KeyManagementError(
    'unreachable',
    `what Google Cloud KMS was asked about ${name}, or answered, was damaged on the way`,
  )
}

function withoutPrimary(name: string, purpose: string): KeyManagementError {
  return new KeyManagementError(
    'not_found',
    `${name} has no primary version to encrypt with (its purpose is ${purpose}): name a key with the purpose ENCRYPT_DECRYPT`,
  )
}
