import {
  type Context,
  contextBytes,
  type KeyDescription,
  type KeyManagement,
  KeyManagementError,
  type WrappedKey,
} from './keymanagement.ts'
import { expectProof, splitProof, withProof } from './proof.ts'
import { type KeyReference, type VaultSettings } from './reference.ts'
import { failure, unfit, vaultError } from './vaulterror.ts'
import { type VaultAnswer, VaultConnection } from './vaulthttp.ts'
import { VaultLogin } from './vaultlogin.ts'

/** Those of transit's types that bind additional data and have 256 bits. */
const types = new Set<unknown>(['aes256-gcm96', 'chacha20-poly1305', 'xchacha20-poly1305'])

/**
 * A KEK of a transit engine of HashiCorp Vault or OpenBao. The context is transit's `associated_data`. A version is
 * transit's number of it, which its ciphertexts begin with: `vault:v3:…`. Behind them stands a proof (`withProof`), so that
 * a server that answers with some other data key is not believed.
 *
 * Vault knows no disabled key. A version can be shut out by `min_decryption_version` (`disabled`), OpenBao's can be
 * soft-deleted (`pending_deletion`), and a policy can take the right away (`denied`).
 */
export function vaultKeyManagement(
  { mount, name }: Extract<KeyReference, { provider: 'vault' }>,
  settings: VaultSettings,
): KeyManagement {
  const keyId = `${mount}/${name}`
  // Nothing else that a reference may hold means another place in a URL.
  if (/^\.+$/.test(name)) throw failure('not_found', keyId)
  const server = serverOf(settings)
  /** Whether the key was seen to be one that binds a context. */
  let isFit = false
  let isClosed = false

  const describe = async (signal?: AbortSignal): Promise<KeyDescription> => {
    const answer = await server.ask('GET', `${mount}/keys/${name}`, undefined, signal)
    const version = fitVersion(answer, keyId)
    isFit = true
    return { keyId, version }
  }

  return {
    provider: 'vault',
    async wrap(dataKey, context, signal) {
      // Whoever may create keys would create one by wrapping, and never hear that the name was wrong.
      if (!isFit) await describe(signal)
      const body = { plaintext: base64(dataKey), ...associated(context) }
      const answer = await server.ask('POST', `${mount}/encrypt/${name}`, body, signal)
      const { ciphertext } = dataOf(answer, keyId)
      const version = typeof ciphertext === 'string' ? versionOf(ciphertext) : undefined
      if (version === undefined) throw failure('unreachable', keyId)
      const whole = withProof(Buffer.from(String(ciphertext)), dataKey, context)
      return { provider: 'vault', keyId, version, ciphertext: whole }
    },
    async unwrap(wrapped, context, signal) {
      const parts = expectOwn(wrapped, keyId)
      const body = { ciphertext: parts.ciphertext.toString('latin1'), ...associated(context) }
      const answer = await server.ask('POST', `${mount}/decrypt/${name}`, body, signal)
      const { plaintext } = dataOf(answer, keyId)
      if (typeof plaintext !== 'string') throw failure('unreachable', keyId)
      const dataKey = Buffer.from(plaintext, 'base64')
      expectProof(parts, dataKey, context)
      return dataKey
    },
    describe,
    async close() {
      if (!isClosed) await server.close()
      isClosed = true
    },
  }
}

/** @throws KeyManagementError when it is another key's, or no ciphertext in transit's one spelling */
function expectOwn({ provider, keyId, version, ciphertext }: WrappedKey, own: string) {
  if (provider !== 'vault' || keyId !== own) {
    const other = `${provider} key ${keyId.slice(0, 200)}`
    const message = `the data key was wrapped by ${other}, which is not ${own}: name that key`
    throw new KeyManagementError('not_found', message)
  }
  const parts = splitProof(ciphertext)
  if (!parts || versionOf(parts.ciphertext.toString('latin1')) !== version) {
    throw failure('refused', own)
  }
  return parts
}

/** The version in a ciphertext; undefined when it is not in its one spelling. */
function versionOf(ciphertext: string): string | undefined {
  const [, version, sealed = ''] =
    /^vault:v([1-9][0-9]{0,8}):([A-Za-z0-9+/]+={0,2})$/.exec(ciphertext) ?? []
  return Buffer.from(sealed, 'base64').toString('base64') === sealed ? version : undefined
}

function associated(context: Context): { readonly associated_data: string } {
  return { associated_data: base64(contextBytes(context)) }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

/** The newest version of a key. @throws KeyManagementError when it cannot wrap, or not with a context */
function fitVersion(answer: VaultAnswer, keyId: string): string {
  const { type, derived, soft_deleted, latest_version } = dataOf(answer, keyId)
  if (soft_deleted === true) throw failure('pending_deletion', keyId)
  if (!types.has(type)) throw unfit(keyId, `of the type ${String(type)}`)
  if (derived === true) throw unfit(keyId, 'derived')
  return String(latest_version)
}

function dataOf(answer: VaultAnswer, keyId: string): Readonly<Record<string, unknown>> {
  if (answer.status !== 200) throw vaultError(answer, keyId)
  return (answer.body['data'] ?? {}) as Readonly<Record<string, unknown>>
}

/** One connection and one login for all keys of a server. */
class VaultServer {
  readonly #connection: VaultConnection
  readonly #login: VaultLogin
  #users = 0

  constructor(settings: VaultSettings) {
    this.#connection = new VaultConnection(settings)
    this.#login = new VaultLogin(this.#connection, settings.login)
  }

  share(): this {
    this.#users += 1
    return this
  }

  /** A token that is refused may have been revoked: it is replaced, once. */
  async ask(
    method: 'GET' | 'POST',
    path: string,
    body: object | undefined,
    signal: AbortSignal | undefined,
  ): Promise<VaultAnswer> {
    const call = { method, path, ...(body && { body }) }
    const token = await this.#login.token(signal)
    const answer = await this.#connection.call({ ...call, token }, signal)
    if (answer.status !== 403) return answer
    const another = await this.#login.another(token, signal)
    if (another === undefined) return answer
    return this.#connection.call({ ...call, token: another }, signal)
  }

  async close(): Promise<void> {
    this.#users -= 1
    if (this.#users === 0) await this.#connection.close()
  }
}

const servers = new WeakMap<VaultSettings, VaultServer>()

function serverOf(settings: VaultSettings): VaultServer {
  const server = servers.get(settings) ?? new VaultServer(settings)
  servers.set(settings, server)
  return server.share()
}
