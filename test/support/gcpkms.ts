import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import {
  createSecureServer,
  type Http2SecureServer,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import type { protos } from '@google-cloud/kms'
import { crc32c } from '../../src/kms/crc32c.ts'
import { selfSigned, trust } from './certificate.ts'
import { temporaryDirectory } from './servers.ts'

type Messages = typeof protos.google.cloud.kms.v1

const usual = [
  'cloudkms.cryptoKeys.get',
  'cloudkms.cryptoKeyVersions.useToEncrypt',
  'cloudkms.cryptoKeyVersions.useToDecrypt',
]
const limit = 64 * 1024
const keyIdLength = 8
const ivLength = 12
const tagLength = 16

type State = 'ENABLED' | 'DISABLED' | 'DESTROY_SCHEDULED'

interface Version {
  readonly material: Buffer
  state: State
}

/** A CryptoKey, and what its administrator does with it. */
export class FakeCryptoKey {
  readonly name: string
  readonly id = randomBytes(keyIdLength)
  readonly versions: Version[] = []
  purpose: 'ENCRYPT_DECRYPT' | 'ASYMMETRIC_SIGN' = 'ENCRYPT_DECRYPT'
  /** The IAM permissions that Cardea has on it. */
  permissions: ReadonlySet<string> = new Set(usual)

  constructor(name: string) {
    this.name = name
    this.rotate()
  }

  /** Makes a version, which is primary from now on. */
  rotate(): void {
    this.versions.push({ material: randomBytes(32), state: 'ENABLED' })
  }

  set(state: State): void {
    for (const version of this.versions) version.state = state
  }

  versionName(number: number): string {
    return `${this.name}/cryptoKeyVersions/${number}`
  }
}

/** What the service answers instead of a result: a status of google/rpc/code.proto and a sentence. */
class Refusal extends Error {
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

interface Checksum {
  readonly value?: unknown
}

/**
 * Google Cloud KMS as far as wrapping goes: gRPC (HTTP/2 over TLS) with the official messages, AES-256-GCM, key versions and
 * their states, checksums, limits, and the service's statuses and sentences. Beside it the token service of workload
 * identity federation, and a credentials file as `gcloud iam workload-identity-pools create-cred-config` writes one.
 */
export class FakeGcpKms {
  readonly endpoint: string
  readonly credentialsFile: string
  /** What the token service answers: a token, a refusal, or nothing but a fault. */
  login: 'accepted' | 'refused' | 'broken' = 'accepted'
  /** What happens to the next message on its way. */
  damage: 'none' | 'question' | 'answer' | 'unverified' = 'none'
  requests = 0

  readonly #messages: Messages
  readonly #server: Http2SecureServer
  readonly #tokens: Server
  readonly #sessions = new Set<ServerHttp2Session>()
  readonly #keys = new Map<string, FakeCryptoKey>()
  readonly #token = randomBytes(16).toString('hex')
  #throttled = 0
  #held: Promise<void> | undefined

  private constructor(messages: Messages, server: Http2SecureServer, tokens: Server) {
    this.#messages = messages
    this.#server = server
    this.#tokens = tokens
    this.endpoint = `localhost:${(server.address() as AddressInfo).port}`
    const directory = temporaryDirectory('gcp')
    const subjectToken = path.join(directory, 'token')
    writeFileSync(subjectToken, 'the-token-of-a-service-account')
    this.credentialsFile = path.join(directory, 'credentials.json')
    writeFileSync(
      this.credentialsFile,
      JSON.stringify({
        type: 'external_account',
        audience:
          '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/k8s',
        subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
        token_url: `http://127.0.0.1:${(tokens.address() as AddressInfo).port}/v1/token`,
        credential_source: { file: subjectToken },
      }),
    )
    server.on('session', (session) => {
      this.#sessions.add(session)
      session.on('close', () => this.#sessions.delete(session))
      session.on('stream', (stream, headers) => {
        const served = this.#serve(stream, headers[':path'] ?? '', headers.authorization)
        served.catch(() => stream.close())
      })
    })
    tokens.on('request', (request, response) => {
      text(request)
        .then((form) => {
          const [status, body] = this.#issue(new URLSearchParams(form))
          const type = { 'content-type': 'application/json' }
          response.writeHead(status, type).end(JSON.stringify(body))
        })
        .catch(() => response.destroy())
    })
  }

  static async start(): Promise<FakeGcpKms> {
    const certificate = selfSigned(['localhost'])
    trust(certificate)
    // gRPC reads it when it is loaded, and then trusts that file and not what the process trusts.
    delete process.env['GRPC_DEFAULT_SSL_ROOTS_FILE_PATH']
    const { protos } = await import('@google-cloud/kms')
    const server = createSecureServer(certificate).listen(0, 'localhost')
    const tokens = createServer().listen(0, '127.0.0.1')
    await Promise.all([once(server, 'listening'), once(tokens, 'listening')])
    return new FakeGcpKms(protos.google.cloud.kms.v1, server, tokens)
  }

  createKey(): FakeCryptoKey {
    const key = new FakeCryptoKey(
      `projects/acme/locations/europe-west1/keyRings/cardea/cryptoKeys/k${this.#keys.size + 1}`,
    )
    this.#keys.set(key.name, key)
    return key
  }

  /** Answers the next so many requests for encryption or decryption with RESOURCE_EXHAUSTED. */
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
    for (const session of this.#sessions) session.destroy()
    this.#server.close()
    this.#tokens.closeAllConnections()
    this.#tokens.close()
    await Promise.all([once(this.#server, 'close'), once(this.#tokens, 'close')])
  }

  #issue(form: URLSearchParams): [status: number, body: object] {
    const known = form.get('subject_token') === 'the-token-of-a-service-account'
    if (this.login === 'broken') return [503, { error: 'unavailable' }]
    if (this.login === 'refused' || !known) {
      const error_description = 'The given credential is rejected by the attribute condition.'
      return [400, { error: 'invalid_grant', error_description }]
    }
    const issued_token_type = 'urn:ietf:params:oauth:token-type:access_token'
    const token = { access_token: this.#token, token_type: 'Bearer', expires_in: 3600 }
    return [200, { issued_token_type, ...token }]
  }

  async #serve(
    stream: ServerHttp2Stream,
    method: string,
    authorization: string | undefined,
  ): Promise<void> {
    const frame = Buffer.concat(await stream.toArray())
    if (method.endsWith('crypt')) this.requests += 1
    await this.#held
    if (stream.destroyed) return
    try {
      if (authorization !== `Bearer ${this.#token}`) {
        throw new Refusal(16, 'Request had invalid authentication credentials.')
      }
      const message = this.#answer(method.split('/').at(-1) ?? '', frame.subarray(5))
      const prefix = Buffer.alloc(5)
      prefix.writeUInt32BE(message.length, 1)
      stream.respond(
        { ':status': 200, 'content-type': 'application/grpc' },
        { waitForTrailers: true },
      )
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
      stream.end(Buffer.concat([prefix, message]))
    } catch (error) {
      const { code, message } =
        error instanceof Refusal ? error : new Refusal(13, String((error as Error).stack))
      stream.respond(
        {
          ':status': 200,
          'content-type': 'application/grpc',
          'grpc-status': String(code),
          'grpc-message': message.replaceAll(/[^ -~]|%/g, encodeURIComponent),
        },
        { endStream: true },
      )
    }
  }

  #answer(method: string, question: Buffer): Uint8Array {
    const kms = this.#messages
    switch (method) {
      case 'GetCryptoKey': {
        const { name } = kms.GetCryptoKeyRequest.decode(question)
        return kms.CryptoKey.encode(this.#describe(name)).finish()
      }
      case 'Encrypt': {
        const answer = this.#encrypt(kms.EncryptRequest.decode(question))
        return kms.EncryptResponse.encode(answer).finish()
      }
      case 'Decrypt': {
        const answer = this.#decrypt(kms.DecryptRequest.decode(question))
        return kms.DecryptResponse.encode(answer).finish()
      }
      default:
        throw new Refusal(12, `Method ${method} is not implemented.`)
    }
  }

  #describe(name: string): protos.google.cloud.kms.v1.ICryptoKey {
    const key = this.#permitted(name, 'cloudkms.cryptoKeys.get')
    const purpose = this.#messages.CryptoKey.CryptoKeyPurpose[key.purpose]
    if (key.purpose !== 'ENCRYPT_DECRYPT') return { name, purpose }
    const number = key.versions.length
    const { state } = key.versions[number - 1] as Version
    const states = this.#messages.CryptoKeyVersion.CryptoKeyVersionState
    return { name, purpose, primary: { name: key.versionName(number), state: states[state] } }
  }

  #encrypt(
    request: protos.google.cloud.kms.v1.EncryptRequest,
  ): protos.google.cloud.kms.v1.IEncryptResponse {
    this.#expectCalm()
    const key = this.#permitted(request.name, 'cloudkms.cryptoKeyVersions.useToEncrypt')
    const plaintext = this.#arrived('plaintext', request.plaintext, request.plaintextCrc32c)
    const aad = this.#arrived(
      'additional_authenticated_data',
      request.additionalAuthenticatedData,
      request.additionalAuthenticatedDataCrc32c,
    )
    const number = key.versions.length
    const material = usable(key, number)
    const label = Buffer.alloc(keyIdLength + 4)
    key.id.copy(label)
    label.writeUInt32BE(number, keyIdLength)
    const iv = randomBytes(ivLength)
    const cipher = createCipheriv('aes-256-gcm', material, iv).setAAD(Buffer.concat([label, aad]))
    const ciphertext = Buffer.concat([
      label,
      iv,
      cipher.update(plaintext),
      cipher.final(),
      cipher.getAuthTag(),
    ])
    const ciphertextCrc32c = { value: crc32c(ciphertext) }
    const verified = this.damage !== 'unverified'
    return {
      name: key.versionName(number),
      ciphertext: this.#sent(ciphertext),
      ciphertextCrc32c,
      verifiedPlaintextCrc32c: verified && !!request.plaintextCrc32c,
      verifiedAdditionalAuthenticatedDataCrc32c:
        verified && !!request.additionalAuthenticatedDataCrc32c,
    }
  }

  #decrypt(
    request: protos.google.cloud.kms.v1.DecryptRequest,
  ): protos.google.cloud.kms.v1.IDecryptResponse {
    this.#expectCalm()
    const key = this.#permitted(request.name, 'cloudkms.cryptoKeyVersions.useToDecrypt')
    const whole = this.#arrived('ciphertext', request.ciphertext, request.ciphertextCrc32c)
    const aad = this.#arrived(
      'additional_authenticated_data',
      request.additionalAuthenticatedData,
      request.additionalAuthenticatedDataCrc32c,
    )
    const label = whole.subarray(0, keyIdLength + 4)
    const sealed = whole.subarray(label.length)
    if (sealed.length < ivLength + tagLength) throw invalid()
    if (!label.subarray(0, keyIdLength).equals(key.id)) {
      throw new Refusal(3, "Decryption failed: verify that 'name' refers to the correct CryptoKey.")
    }
    const number = label.readUInt32BE(keyIdLength)
    if (!key.versions[number - 1]) throw invalid()
    const decipher = createDecipheriv(
      'aes-256-gcm',
      usable(key, number),
      sealed.subarray(0, ivLength),
      { authTagLength: tagLength },
    )
    decipher.setAAD(Buffer.concat([label, aad])).setAuthTag(sealed.subarray(-tagLength))
    try {
      const plaintext = Buffer.concat([
        decipher.update(sealed.subarray(ivLength, -tagLength)),
        decipher.final(),
      ])
      const plaintextCrc32c = { value: crc32c(plaintext) }
      const usedPrimary = number === key.versions.length
      return { plaintext: this.#sent(plaintext), plaintextCrc32c, usedPrimary }
    } catch {
      throw invalid()
    }
  }

  #expectCalm(): void {
    if (this.#throttled === 0) return
    this.#throttled -= 1
    throw new Refusal(8, "Quota exceeded for quota metric 'Cryptographic requests'.")
  }

  #permitted(name: string, permission: string): FakeCryptoKey {
    const key = this.#keys.get(name)
    if (!key) throw new Refusal(5, `CryptoKey ${name} not found.`)
    if (!key.permissions.has(permission)) {
      const message = `Permission '${permission}' denied on resource '${name}' (or it may not exist).`
      throw new Refusal(7, message)
    }
    return key
  }

  /** What arrived of a field, if that is what was sent. */
  #arrived(field: string, sent: unknown, checksum: Checksum | null | undefined): Buffer {
    const bytes = Buffer.from(sent as Uint8Array)
    if (this.damage === 'question') flip(bytes)
    if (bytes.length > limit) {
      throw new Refusal(3, `${field} is ${bytes.length} bytes long, the limit is ${limit}.`)
    }
    if (checksum && Number(String(checksum.value)) !== crc32c(bytes)) {
      const message = `The checksum in field ${field}_crc32c did not match the data in field ${field}.`
      throw new Refusal(3, message)
    }
    return bytes
  }

  #sent(bytes: Buffer): Buffer {
    if (this.damage === 'answer') flip(bytes)
    return bytes
  }
}

function usable(key: FakeCryptoKey, number: number): Buffer {
  const { material, state } = key.versions[number - 1] as Version
  if (state === 'ENABLED') return material
  throw new Refusal(9, `${key.versionName(number)} is not enabled, current state is: ${state}.`)
}

function flip(bytes: Buffer): void {
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1)
}

function invalid(): Refusal {
  return new Refusal(3, 'Decryption failed: the ciphertext is invalid.')
}
