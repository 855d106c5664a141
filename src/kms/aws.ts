import type { KeyMetadata, KMSClient } from '@aws-sdk/client-kms'
import { awsError, codeOfState, failure, unfit } from './awserror.ts'
import { untilGivenUp } from './giveup.ts'
import { type Context, type KeyManagement, KeyManagementError } from './keymanagement.ts'
import { expectProof, splitProof, withProof } from './proof.ts'
import { describeReference, type KeyReference } from './reference.ts'

type Sdk = typeof import('@aws-sdk/client-kms')

interface Opened {
  readonly sdk: Sdk
  readonly client: KMSClient
}

/** The version of a key whose material AWS does not number: one in a custom key store. */
const onlyVersion = '1'
/** AWS's numbers of materials. */
const materialId = /^[0-9a-f]{64}$/

/**
 * A symmetric KEK of AWS KMS. Credentials come from the SDK's own chain: IRSA, EKS Pod Identity, an instance's role, the
 * environment. The context is AWS's encryption context, for key policies and CloudTrail; envelopes and columns bind it in
 * their own AEAD, too. The ciphertext is AWS's with a proof behind it (`withProof`).
 *
 * A version is the id of the key's material, which a rotation renews. A wrap is read back, for only a decryption says
 * which material it was: a wrong version would hide a stale envelope for ever.
 */
export function awsKeyManagement(
  reference: Extract<KeyReference, { provider: 'aws' }>,
  { endpoint }: { readonly endpoint?: string | undefined },
): KeyManagement {
  const name = describeReference(reference)
  let opened: Promise<Opened> | undefined
  /** The key that the reference led to the last time. An alias may lead elsewhere by and by. */
  let known: KnownKey | undefined

  const ask = async <T>(
    question: (kms: Opened, options: { abortSignal?: AbortSignal }) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> => {
    opened ??= open(reference.region, endpoint).catch((error: unknown) => {
      opened = undefined
      throw error
    })
    const answer = opened.then((kms) => question(kms, signal ? { abortSignal: signal } : {}))
    try {
      return await untilGivenUp(answer, 'AWS KMS', signal)
    } catch (error) {
      throw awsError(error, name)
    }
  }

  const lookUp = async (keyId: string, signal?: AbortSignal): Promise<KnownKey> => {
    const { KeyMetadata } = await ask(
      ({ sdk, client }, options) =>
        client.send(new sdk.DescribeKeyCommand({ KeyId: keyId }), options),
      signal,
    )
    known = usable(KeyMetadata, name)
    return known
  }

  const decrypt = async (
    key: KnownKey,
    ciphertext: Uint8Array,
    context: Context,
    signal?: AbortSignal,
  ): Promise<{ readonly plaintext: Buffer; readonly version: string }> => {
    const question = {
      KeyId: key.arn,
      CiphertextBlob: ciphertext,
      EncryptionContext: encryptionContext(context),
    }
    const answer = await ask(
      ({ sdk, client }, options) => client.send(new sdk.DecryptCommand(question), options),
      signal,
    )
    if (answer.KeyId !== key.arn || !answer.Plaintext) throw failure('unreachable', name)
    const { buffer, byteOffset, byteLength } = answer.Plaintext
    return {
      plaintext: Buffer.from(buffer, byteOffset, byteLength),
      version: key.isVersioned ? (answer.KeyMaterialId ?? onlyVersion) : onlyVersion,
    }
  }

  return {
    provider: 'aws',
    async wrap(dataKey, context, signal) {
      const question = {
        KeyId: reference.keyId,
        Plaintext: dataKey,
        EncryptionContext: encryptionContext(context),
      }
      const answer = await ask(
        ({ sdk, client }, options) => client.send(new sdk.EncryptCommand(question), options),
        signal,
      )
      const { KeyId: arn, CiphertextBlob: ciphertext } = answer
      if (!arn || !ciphertext) throw failure('unreachable', name)
      const key = known?.arn === arn ? known : await lookUp(arn, signal)
      const { plaintext, version } = await decrypt(key, ciphertext, context, signal)
      const isSame = plaintext.equals(dataKey)
      plaintext.fill(0)
      if (!isSame) throw failure('refused', name)
      return {
        provider: 'aws',
        keyId: arn,
        version,
        ciphertext: withProof(ciphertext, dataKey, context),
      }
    },
    async unwrap(wrapped, context, signal) {
      let key = known
      if (key?.arn !== wrapped.keyId) key = await lookUp(reference.keyId, signal)
      if (wrapped.provider !== 'aws' || key.arn !== wrapped.keyId) {
        throw anothers(wrapped.provider, wrapped.keyId, name)
      }
      const parts = splitProof(wrapped.ciphertext)
      if (!parts) throw failure('refused', name)
      const { plaintext, version } = await decrypt(key, parts.ciphertext, context, signal)
      try {
        if (!agrees(wrapped.version, version)) throw failure('refused', name)
        expectProof(parts, plaintext, context)
        return plaintext
      } catch (error) {
        plaintext.fill(0)
        throw error
      }
    },
    async describe(signal) {
      const { arn, version } = await lookUp(reference.keyId, signal)
      return { keyId: arn, version }
    },
    async close() {
      const { client } = (await opened?.catch(() => undefined)) ?? {}
      client?.destroy()
    },
  }
}

/** The SDK is loaded here: it costs 25 MB of memory, which nobody without a key of AWS has to spend. */
async function open(region: string, endpoint: string | undefined): Promise<Opened> {
  const sdk = await import('@aws-sdk/client-kms')
  // Whoever repeats is `patient`.
  const settings = { region, maxAttempts: 1, ...(endpoint !== undefined && { endpoint }) }
  return { sdk, client: new sdk.KMSClient(settings) }
}

/**
 * Whether a wrap says of itself what AWS says of it. AWS may begin to number a key's material, or stop: what says less than
 * the other is stale, and is wrapped anew, but is no forgery.
 */
function agrees(label: string, version: string): boolean {
  if (label === version || label === onlyVersion) return true
  return version === onlyVersion && materialId.test(label)
}

interface KnownKey {
  readonly arn: string
  readonly version: string
  /** Whether AWS numbers its material. */
  readonly isVersioned: boolean
}

/** @throws KeyManagementError when its state, or what it was made for, keeps it from wrapping */
function usable(metadata: KeyMetadata | undefined, name: string): KnownKey {
  if (!metadata?.Arn) throw failure('unreachable', name)
  const code = codeOfState(metadata.KeyState)
  if (code) throw failure(code, name)
  const { Arn: arn, KeySpec: spec, KeyUsage: usage, CurrentKeyMaterialId: material } = metadata
  if (spec !== 'SYMMETRIC_DEFAULT' || usage !== 'ENCRYPT_DECRYPT') {
    throw unfit(name, `of the spec ${spec} and the usage ${usage}`)
  }
  return { arn, version: material ?? onlyVersion, isVersioned: material !== undefined }
}

/**
 * AWS takes no empty names and values. An equals sign stands for nothing, and goes before what begins with one, so that no
 * two contexts become the same.
 */
function encryptionContext(context: Context): Record<string, string> {
  const filled = (text: string): string => (text === '' || text.startsWith('=') ? `=${text}` : text)
  return Object.fromEntries(
    Object.entries(context).map(([name, value]) => [filled(name), filled(value)]),
  )
}

function anothers(provider: string, keyId: string, name: string): KeyManagementError {
  const other = `${provider} key ${keyId.slice(0, 200)}`
  return new KeyManagementError(
    'not_found',
    `the data key was wrapped by ${other}, which is not ${name}: name that key`,
  )
}
