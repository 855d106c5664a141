import {
  constants,
  generateKeyPairSync,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
} from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Agent, createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as wait } from 'node:timers/promises'
import { ClientSecretCredential } from '@azure/identity'
import { selfSigned, trust } from './certificate.ts'

const tenant = '11111111-2222-3333-4444-555555555555'
const clientSecret = 'the-secret-of-an-application'
const apiVersions = new Set(['7.4', '7.5', '7.6', '2025-07-01'])
const retryOptions = { maxRetries: 0 }

/** What an operation with a key takes; to read it is one without a name. */
const actionOf: Readonly<Record<string, string>> = {
  '': 'Microsoft.KeyVault/vaults/keys/read',
  wrapkey: 'Microsoft.KeyVault/vaults/keys/wrap/action',
  unwrapkey: 'Microsoft.KeyVault/vaults/keys/unwrap/action',
}
const usual = Object.values(actionOf)

interface Version {
  readonly id: string
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  enabled: boolean
  /** Seconds since 1970. */
  expires?: number
}

/** A key of the vault, and what its administrator does with it. */
export class FakeVaultKey {
  readonly name: string
  readonly versions: Version[] = []
  /** RSA wraps; an EC key signs only. */
  type: 'RSA' | 'EC' = 'RSA'
  deleted = false
  /** The data actions of Azure RBAC that Cardea has on it. */
  dataActions: ReadonlySet<string> = new Set(usual)

  constructor(name: string) {
    this.name = name
    this.rotate()
  }

  /** Makes a version, which is the current one from now on. */
  rotate(): void {
    this.versions.push({ id: randomBytes(16).toString('hex'), ...nextPair(), enabled: true })
  }

  enable(enabled: boolean): void {
    for (const version of this.versions) version.enabled = enabled
  }
}

/** A vault's error: its status, code and sentence, and a closer code within. */
class Refusal extends Error {
  readonly status: number
  readonly code: string
  readonly closer: string | undefined

  constructor(status: number, code: string, message: string, closer?: string) {
    super(message)
    this.status = status
    this.code = code
    this.closer = closer
  }
}

/**
 * Azure Key Vault as far as wrapping goes: its REST API over TLS at `https://acme.vault.azure.net`, with the challenge that
 * tells where to log in, RSA-OAEP-256, key versions and attributes, soft deletion, and the service's errors. Beside it the
 * login, at `https://login.microsoftonline.com`. The agent leads there, whatever the name.
 */
export class FakeKeyVault {
  readonly url = 'https://acme.vault.azure.net'
  readonly agent: Agent
  login: 'accepted' | 'refused' | 'broken' | 'cut' = 'accepted'
  /** Answers every request of the vault's with a redirection to there. */
  redirect: string | undefined
  /** Answers every request of the vault's with a page of somebody in between. */
  gatewayFails = false
  /** Milliseconds by which who asks for an operation without saying of what is told later where to log in. */
  challengeDelay = 0
  /** Operations with a key, without those that were only told where to log in. */
  operations = 0
  connections = 0

  readonly #server: Server
  readonly #keys = new Map<string, FakeVaultKey>()
  readonly #token = randomBytes(16).toString('hex')
  #throttled = 0
  #held: Promise<void> | undefined

  private constructor(server: Server) {
    this.#server = server
    this.agent = new LeadingAgent((server.address() as AddressInfo).port)
    server.on('connection', () => {
      this.connections += 1
    })
    server.on('request', (request, response) => {
      this.#serve(request, response).catch(() => response.destroy())
    })
  }

  static async start(): Promise<FakeKeyVault> {
    const certificate = selfSigned(['*.vault.azure.net', 'login.microsoftonline.com'])
    trust(certificate)
    const server = createServer(certificate).listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new FakeKeyVault(server)
  }

  /** A login of the application's, which keeps no tokens of other logins. */
  credential(secret = clientSecret): ClientSecretCredential {
    const { agent } = this
    return new ClientSecretCredential(tenant, 'cardea', secret, { agent, retryOptions })
  }

  createKey(): FakeVaultKey {
    const key = new FakeVaultKey(`k${this.#keys.size + 1}`)
    this.#keys.set(key.name, key)
    return key
  }

  /** Answers the next so many operations with 429. */
  throttle(requests: number): void {
    this.#throttled = requests
  }

  /** Answers nothing until the returned function is called. */
  hang(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#held = promise
    return () => {
      this.#held = undefined
      resolve()
    }
  }

  async close(): Promise<void> {
    this.agent.destroy()
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request)
    const { host, authorization } = request.headers
    if (host === 'login.microsoftonline.com') {
      if (this.login === 'cut') throw new Error('cut')
      const [status, answer] = this.#issue(new URLSearchParams(body))
      response.writeHead(status, json).end(JSON.stringify(answer))
      return
    }
    if (authorization !== `Bearer ${this.#token}`) {
      if (request.method === 'POST' && body === '') await wait(this.challengeDelay)
      const challenge = `Bearer authorization="https://login.microsoftonline.com/${tenant}", resource="https://vault.azure.net"`
      const error = { code: 'Unauthorized', message: '[BearerReadAccessTokenFailed] No token.' }
      response.writeHead(401, { ...json, 'www-authenticate': challenge })
      response.end(JSON.stringify({ error }))
      return
    }
    const { pathname, searchParams } = new URL(request.url ?? '/', this.url)
    if (/crypt|wrap/.test(pathname)) this.operations += 1
    await this.#held
    if (this.gatewayFails) {
      response.writeHead(502, { 'content-type': 'text/html' }).end('<h1>Bad gateway</h1>')
      return
    }
    if (this.redirect !== undefined) {
      response.writeHead(307, { location: this.redirect }).end()
      return
    }
    try {
      expectApiVersion(searchParams.get('api-version'))
      const answer = this.#answer(request.method ?? '', pathname, body)
      response.writeHead(200, json).end(JSON.stringify(answer))
    } catch (error) {
      const refusal =
        error instanceof Refusal ? error : new Refusal(500, 'InternalError', String(error))
      const { status, code, message, closer } = refusal
      const innererror = closer === undefined ? {} : { innererror: { code: closer } }
      response
        .writeHead(status, json)
        .end(JSON.stringify({ error: { code, message, ...innererror } }))
    }
  }

  #issue(form: URLSearchParams): [status: number, body: object] {
    if (this.login === 'broken') return [503, { error: 'temporarily_unavailable' }]
    if (this.login === 'refused' || form.get('client_secret') !== clientSecret) {
      const error_description = 'AADSTS7000215: Invalid client secret provided.'
      return [401, { error: 'invalid_client', error_description, error_codes: [7000215] }]
    }
    return [200, { token_type: 'Bearer', expires_in: 3599, access_token: this.#token }]
  }

  #answer(method: string, path: string, body: string): object {
    const [, collection, name = '', versionId = '', operation = ''] = path.split('/')
    const key = this.#keys.get(name)
    const action = actionOf[operation]
    if (key && !(action && key.dataActions.has(action))) {
      const message = `Caller is not authorized to perform action on resource. Action: '${action}'`
      throw new Refusal(403, 'Forbidden', message, 'ForbiddenByRbac')
    }
    if (method === 'GET' && collection === 'deletedkeys') {
      if (!key?.deleted) throw new Refusal(404, 'KeyNotFound', `Deleted Key not found: ${name}`)
      return { ...this.#bundle(key, ''), recoveryId: `${this.url}/deletedkeys/${name}` }
    }
    if (collection !== 'keys' || !key || key.deleted) throw notFound(name)
    if (method === 'GET' && operation === '') return this.#bundle(key, versionId)
    if (method !== 'POST' || !/^(un)?wrapkey$/.test(operation)) {
      throw new Refusal(405, 'MethodNotAllowed', 'Not allowed.')
    }
    if (this.#throttled > 0) {
      this.#throttled -= 1
      const message = 'Request was not processed because too many requests were received.'
      throw new Refusal(429, 'Throttled', message)
    }
    const version = versionOf(key, versionId)
    const value = operate(operation, version, body)
    return { kid: `${this.url}/keys/${name}/${version.id}`, value }
  }

  #bundle(key: FakeVaultKey, versionId: string): object {
    const version = versionOf(key, versionId)
    const { id, enabled, expires, publicKey } = version
    const kid = `${this.url}/keys/${key.name}/${id}`
    const attributes = { enabled, created: 1_700_000_000, updated: 1_700_000_000, exp: expires }
    if (key.type === 'EC')
      return { key: { kid, kty: 'EC', key_ops: ['sign', 'verify'] }, attributes }
    const { kty, n, e } = publicKey.export({ format: 'jwk' })
    return { key: { kid, kty, n, e, key_ops: ['wrapKey', 'unwrapKey'] }, attributes }
  }
}

/** Leads every connection to one port, and leaves the name that the certificate has to be for as it is. */
class LeadingAgent extends Agent {
  readonly #port: number

  constructor(port: number) {
    super({ keepAlive: true })
    this.#port = port
  }

  override createConnection(
    ...[options, callback]: Parameters<Agent['createConnection']>
  ): ReturnType<Agent['createConnection']> {
    return super.createConnection({ ...options, host: '127.0.0.1', port: this.#port }, callback)
  }
}

const json = { 'content-type': 'application/json; charset=utf-8' }

function expectApiVersion(version: string | null): void {
  if (version !== null && apiVersions.has(version)) return
  throw new Refusal(400, 'BadParameter', `The api-version ${version} is not supported.`)
}

function versionOf(key: FakeVaultKey, id: string): Version {
  const version = id === '' ? key.versions.at(-1) : key.versions.find((known) => known.id === id)
  if (!version) throw notFound(`${key.name}/${id}`)
  return version
}

/** The public key's operation is done with a disabled version too, as the service does; not with one that has expired. */
function operate(operation: string, version: Version, body: string): string {
  const { alg, value } = parse(body)
  if (alg !== 'RSA-OAEP-256' || value === undefined) {
    throw new Refusal(400, 'BadParameter', "Property 'value' is required.")
  }
  const bytes = Buffer.from(value, 'base64url')
  const oaep = { oaepHash: 'sha256', padding: constants.RSA_PKCS1_OAEP_PADDING }
  if (operation === 'wrapkey') {
    if (version.expires !== undefined && version.expires * 1000 < Date.now()) {
      const message = 'Operation wrapKey is not allowed on an expired key.'
      throw new Refusal(403, 'Forbidden', message, 'KeyExpired')
    }
    return publicEncrypt({ key: version.publicKey, ...oaep }, bytes).toString('base64url')
  }
  if (!version.enabled) {
    const message = 'Operation unwrapKey is not allowed on a disabled key.'
    throw new Refusal(403, 'Forbidden', message, 'KeyDisabled')
  }
  try {
    return privateDecrypt({ key: version.privateKey, ...oaep }, bytes).toString('base64url')
  } catch {
    throw new Refusal(400, 'BadParameter', 'Error occurred while decoding OAEP padding.')
  }
}

function parse(body: string): { alg?: string; value?: string } {
  try {
    return JSON.parse(body)
  } catch {
    throw new Refusal(400, 'BadParameter', "Property 'value' is required.")
  }
}

function notFound(name: string): Refusal {
  const message = `A key with (name/id) ${name} was not found in this key vault. If you recently deleted this key you may be able to recover it using the correct recovery command.`
  return new Refusal(404, 'KeyNotFound', message)
}

type Pair = { readonly publicKey: KeyObject; readonly privateKey: KeyObject }
const pairs: Pair[] = []

/** RSA pairs take long to make; a test has fewer versions than these, so that no two of its versions are the same. */
function nextPair(): Pair {
  const made =
    pairs.length < 8 ? generateKeyPairSync('rsa', { modulusLength: 2048 }) : pairs.shift()
  pairs.push(made as Pair)
  return made as Pair
}
