import type { Agent } from 'node:https'
import type { TokenCredential } from '@azure/identity'
import type { CryptographyClient, KeyClient, KeyVaultKey } from '@azure/keyvault-keys'
import { azureError } from './azureerror.ts'
import { untilGivenUp } from './giveup.ts'
import { type KeyManagement, KeyManagementError, type WrappedKey } from './keymanagement.ts'
import type { KeyReference } from './reference.ts'
import { splitVersion, type Versioned, withVersion } from './versioned.ts'

/** Key vaults and managed HSMs of the public cloud and of the clouds that are kept apart from it. */
const vaultHost =
  /^https:\/\/[a-z0-9-]{3,24}\.(vault|managedhsm)\.(azure\.net|azure\.cn|usgovcloudapi\.net)$/

const algorithm = 'RSA-OAEP-256'

/** Old versions are asked for while a rotation goes on; beyond so many a client is made anew. */
const mostClients = 16

/** What a test stands in for; a process uses its surroundings' credentials and the network. */
export interface AzureSurroundings {
  readonly credential?: TokenCredential
  readonly agent?: Agent
}

/**
 * An RSA key of Azure Key Vault or Managed HSM, which wraps by RSA-OAEP with SHA-256. Key Vault takes no context, so the proof
 * behind the ciphertext binds it, and the version (`withVersion`): the layout is `VERSION:`, RSA's result, the proof.
 *
 * To wrap with RSA takes the public key only. So a wrapped data key is secret, but nothing says who wrapped it: who may
 * write where it is kept can put one there that they know. The vault also wraps with a disabled key, for the same reason;
 * therefore each wrap reads first which version is the current one and whether it is enabled.
 *
 * Credentials are those of DefaultAzureCredential: in a pod those of workload identity.
 */
export function azureKeyManagement(
  { vaultUrl, name }: Extract<KeyReference, { provider: 'azure' }>,
  surroundings: AzureSurroundings = {},
): KeyManagement {
  const keyId = `${vaultUrl}/keys/${name}`
  let opened: Promise<Vault> | undefined

  const ask = async <T>(
    task: 'wrap' | 'unwrap' | 'describe',
    question: (vault: Vault, limits: Limits) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> => {
    if (!vaultHost.test(vaultUrl)) throw notAVault(keyId)
    const limits = { requestOptions: { timeout }, ...(signal && { abortSignal: signal }) }
    opened ??= open(vaultUrl, keyId, surroundings)
    const vault = opened.catch((error: unknown) => {
      opened = undefined
      throw notSetUp(keyId, error)
    })
    const isDeleted = async (): Promise<boolean> => {
      const deleted = vault.then(({ keys }) => keys.getDeletedKey(name, limits))
      return untilGivenUp(
        deleted.then(
          () => true,
          () => false,
        ),
        keyId,
        signal,
      )
    }
    const answer = vault.then((ready) => question(ready, limits))
    try {
      return await untilGivenUp(answer, `Azure, asked for ${keyId},`, signal)
    } catch (error) {
      throw await azureError(error, { keyId, task, isDeleted })
    }
  }

  return {
    provider: 'azure',

    async wrap(dataKey, context, signal) {
      const key = await ask('wrap', ({ keys }, limits) => keys.getKey(name, limits), signal)
      const version = usable(key, keyId)
      const { result } = await ask(
        'wrap',
        (vault, limits) =>
          vault.withVersion(version, (client) => client.wrapKey(algorithm, dataKey, limits)),
        signal,
      )
      const ciphertext = withVersion(version, result, dataKey, context)
      return { provider: 'azure', keyId, version, ciphertext }
    },

    async unwrap(wrapped, context, signal) {
      const { ciphertext, expect } = expectOwn(wrapped, keyId)
      const { result } = await ask(
        'unwrap',
        (vault, limits) =>
          vault.withVersion(wrapped.version, (client) =>
            client.unwrapKey(algorithm, ciphertext, limits),
          ),
        signal,
      )
      const dataKey = Buffer.from(result)
      expect(dataKey, context)
      return dataKey
    },

    async describe(signal) {
      const key = await ask('describe', ({ keys }, limits) => keys.getKey(name, limits), signal)
      return { keyId, version: usable(key, keyId) }
    },
  }
}

/** Milliseconds after which a request ends that nobody waits for any more. */
const timeout = 10_000

interface Limits {
  readonly requestOptions: { readonly timeout: number }
  readonly abortSignal?: AbortSignal
}

interface Vault {
  readonly keys: KeyClient
  /** Works with one version of the key, and always asks the vault: the SDK does nothing itself with this algorithm. */
  withVersion<T>(version: string, work: (client: CryptographyClient) => Promise<T>): Promise<T>
}

/** Loads the SDKs with their first use: 45 MB of memory that an installation without such a key does not spend. */
async function open(
  vaultUrl: string,
  keyId: string,
  surroundings: AzureSurroundings,
): Promise<Vault> {
  const sdk = await import('@azure/keyvault-keys')
  const credential = inSight(surroundings.credential ?? (await ambient()))
  const options = () => ({
    // `patient` repeats. A vault sends nobody elsewhere, and nobody is to be followed with a credential.
    retryOptions: { maxRetries: 0 },
    redirectOptions: { maxRetries: 0 },
    ...(surroundings.agent && { agent: surroundings.agent }),
  })
  const clients = new Map<string, UsedClient>()

  return {
    keys: new sdk.KeyClient(vaultUrl, credential, options()),
    async withVersion(version, work) {
      for (let used = clients.get(version); used; used = clients.get(version)) {
        if (await used.answered) return work(used.client)
      }
      const [eldest] = clients.keys()
      if (clients.size >= mostClients && eldest) clients.delete(eldest)
      const client = new sdk.CryptographyClient(keyOf(keyId, version), credential, options())
      const first = work(client)
      const answered = first.then(
        () => true,
        (error: unknown) => isAnswer(error) || !clients.delete(version),
      )
      clients.set(version, { client, answered })
      return first
    },
  }
}

/**
 * The SDK sends a client's first request without its body, to be told where to log in. A second request meanwhile can make
 * it lose the body for good, and the vault then answers that the ciphertext is wrong. So the first one goes alone.
 */
interface UsedClient {
  readonly client: CryptographyClient
  /** Whether the first request was answered; if not, the client is not used again. */
  readonly answered: Promise<boolean>
}

function isAnswer(error: unknown): boolean {
  return (error as { statusCode?: number }).statusCode !== undefined
}

/**
 * A key as the SDK would have read it. From an id alone it reads the key before its first use, and then refuses to unwrap
 * with a version that has expired, which the vault does not.
 */
function keyOf(keyId: string, version: string): KeyVaultKey {
  const [, , host, , name = ''] = keyId.split('/')
  const vaultUrl = `https://${host}`
  return { id: `${keyId}/${version}`, name, properties: { vaultUrl, name, version } }
}

let ambientCredential: Promise<TokenCredential> | undefined

/** One for the process, for it keeps the tokens. */
function ambient(): Promise<TokenCredential> {
  ambientCredential ??= import('@azure/identity')
    .then(({ DefaultAzureCredential }) => new DefaultAzureCredential())
    .catch((error: unknown) => {
      ambientCredential = undefined
      throw error
    })
  return ambientCredential
}

/**
 * A credential whose tokens the SDK takes for outdated, so that it asks each time and while somebody waits. Otherwise it
 * renews them in the background, where a failure is a rejection that nobody handles. The credential itself keeps its tokens.
 */
function inSight(credential: TokenCredential): TokenCredential {
  return {
    async getToken(scopes, options) {
      const token = await credential.getToken(scopes, options)
      return token && { ...token, expiresOnTimestamp: 0 }
    },
  }
}

/** @returns the key's version @throws KeyManagementError when it does not wrap */
function usable({ keyType, properties }: KeyVaultKey, keyId: string): string {
  const { enabled, version } = properties
  if (enabled === false) {
    throw new KeyManagementError(
      'disabled',
      `the current version of ${keyId} is disabled: enable it`,
    )
  }
  if (!version || (keyType !== 'RSA' && keyType !== 'RSA-HSM')) {
    throw new KeyManagementError('not_found', `${keyId} is of the type ${keyType}: name an RSA key`)
  }
  return version
}

/** @throws KeyManagementError when the data key is another KEK's, or its version is not the one that it says */
function expectOwn(wrapped: WrappedKey, keyId: string): Versioned {
  const { provider, version } = wrapped
  if (provider !== 'azure' || wrapped.keyId !== keyId) {
    throw new KeyManagementError(
      'not_found',
      `the data key was wrapped by ${provider} key ${wrapped.keyId.slice(0, 200)}, and this is ${keyId}`,
    )
  }
  const own = /^[0-9A-Za-z]{1,64}$/.test(version) ? splitVersion(wrapped) : undefined
  if (own) return own
  throw new KeyManagementError(
    'refused',
    `the data key was not wrapped by version ${version.slice(0, 64)} of ${keyId}, or was altered since`,
  )
}

/** What the SDK says when it is set up names a variable, and no secret. */
function notSetUp(keyId: string, error: unknown): KeyManagementError {
  const why = (error as Error).message.slice(0, 500)
  return new KeyManagementError(
    'denied',
    `the login at Azure for ${keyId} cannot be set up, check the AZURE_ variables of the pod: ${why}`,
    { cause: error },
  )
}

function notAVault(keyId: string): KeyManagementError {
  return new KeyManagementError(
    'not_found',
    `${keyId} is in no vault of Azure: the address is that of a key vault, as https://acme.vault.azure.net`,
  )
}
