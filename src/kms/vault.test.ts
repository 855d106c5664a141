import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { KeyManagement } from './keymanagement.ts'
import { withProof } from './proof.ts'
import type { VaultSettings } from './reference.ts'
import { vaultKeyManagement } from './vault.ts'

const dataKey = randomBytes(32)
const context = { namespace: 'acme' }
const ciphertext = `vault:v1:${randomBytes(60).toString('base64')}`

interface Answer {
  readonly status?: number
  readonly body: unknown
}

let directory: string
let server: Server
let origin: string
let answer: (path: string, token: string) => Answer | Promise<Answer>
let asked: string[]
let kms: KeyManagement | undefined

beforeEach(async () => {
  asked = []
  directory = mkdtempSync(path.join(tmpdir(), 'cardea-vault-'))
  writeFileSync(path.join(directory, 'token'), 'the-token\n')
  server = createServer((request, response) => {
    const place = request.url ?? ''
    asked.push(place)
    const token = String(request.headers['x-vault-token'] ?? '')
    void text(request)
      .then(() => answer(place, token))
      .then(({ status = 200, body }) => {
        response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body))
      })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterEach(async () => {
  await kms?.close?.()
  server.closeAllConnections()
  server.close()
  rmSync(directory, { recursive: true })
})

const open = (settings: Partial<VaultSettings> = {}, mount = 'transit'): KeyManagement => {
  const login = { method: 'token', tokenFile: path.join(directory, 'token') } as const
  kms = vaultKeyManagement(
    { provider: 'vault', mount, name: 'cardea' },
    { address: origin, login, ...settings },
  )
  return kms
}

const key = { data: { type: 'aes256-gcm96', latest_version: 1, soft_deleted: false } }
const wrapped = {
  provider: 'vault',
  keyId: 'transit/cardea',
  version: '1',
  ciphertext: withProof(Buffer.from(ciphertext), dataKey, context),
} as const
const opening = (bytes: Uint8Array) => () => ({
  body: { data: { plaintext: Buffer.from(bytes).toString('base64') } },
})

describe('an answer', () => {
  test.each([
    [400, 'cipher: message authentication failed', 'refused'],
    [400, 'invalid ciphertext: version is too new', 'refused'],
    [400, 'a sentence of a later release', 'refused'],
    [400, 'ciphertext or signature version is disallowed by policy (too old)', 'disabled'],
    [400, 'refusing to use soft-deleted key', 'pending_deletion'],
    [400, 'encryption key not found', 'not_found'],
    [404, 'no handler for route', 'not_found'],
    [403, 'permission denied', 'denied'],
    [429, 'rate limit quota exceeded', 'throttled'],
    [307, 'elsewhere', 'unreachable'],
    [412, 'required index state not present', 'unreachable'],
    [500, 'internal error', 'unreachable'],
    [502, 'bad gateway', 'unreachable'],
    [503, 'Vault is sealed', 'unreachable'],
  ])('%i "%s" is %s, names the key, and is not repeated to anybody', async (status, said, code) => {
    answer = () => ({ status, body: { errors: [said, 'canary'] } })
    const refusal = open().unwrap(wrapped, context)
    await expect(refusal).rejects.toMatchObject({ name: 'KeyManagementError', code })
    await expect(refusal).rejects.toThrow('transit/cardea')
    await expect(refusal).rejects.not.toThrow('canary')
    expect(asked).toEqual(['/v1/transit/decrypt/cardea'])
  })

  test.each([
    ['that is no JSON', 'hello'],
    ['that is a list', '[]'],
    ['without data', '{}'],
    ['with another sort of plaintext', '{"data":{"plaintext":1}}'],
    ['that is endless', '"'.padEnd(100_000)],
  ])('%s is none', async (_, body) => {
    answer = () => ({ body })
    await expect(open().unwrap(wrapped, context)).rejects.toMatchObject({ code: 'unreachable' })
  })

  test('with the data key is believed', async () => {
    answer = opening(dataKey)
    expect(await open().unwrap(wrapped, context)).toEqual(dataKey)
  })

  test.each([
    ['another data key', randomBytes(32)],
    ['half of it', dataKey.subarray(0, 16)],
    ['nothing', Buffer.of()],
  ])('with %s is not believed', async (_, bytes) => {
    answer = opening(bytes)
    await expect(open().unwrap(wrapped, context)).rejects.toMatchObject({ code: 'refused' })
  })

  test('that opens it in another place than it was wrapped for is not believed', async () => {
    answer = opening(dataKey)
    const opened = open().unwrap(wrapped, { namespace: 'globex' })
    await expect(opened).rejects.toMatchObject({ code: 'refused' })
  })

  test.each(['vault:v0:AAAA', 'vault:v1:', 'hello', 1, undefined])(
    'with the ciphertext %j is not taken for a wrapped key',
    async (made) => {
      answer = (place) =>
        place.includes('/encrypt/') ? { body: { data: { ciphertext: made } } } : { body: key }
      await expect(open().wrap(dataKey, context)).rejects.toMatchObject({ code: 'unreachable' })
    },
  )
})

describe('a request', () => {
  test.each([
    ['', '/v1/transit/keys/cardea'],
    ['/', '/v1/transit/keys/cardea'],
    ['/behind/a/gateway', '/behind/a/gateway/v1/transit/keys/cardea'],
  ])('goes below an address that ends in "%s"', async (end, expected) => {
    answer = (_, token) => ({ body: key, status: token === 'the-token' ? 200 : 403 })
    await open({ address: `${origin}${end}` }).describe()
    expect(asked).toEqual([expected])
  })

  test.each([
    ['approle', 'transit', '/v1/auth/approle/login', '/v1/transit/keys/cardea'],
    [
      'team-a/auth/jwt',
      'team-a/transit',
      '/v1/team-a/auth/jwt/login',
      '/v1/team-a/transit/keys/cardea',
    ],
  ])('logs in at %s for a key of %s', async (loginMount, mount, ...expected) => {
    answer = (place) =>
      place.endsWith('/login')
        ? { body: { auth: { client_token: 'token', lease_duration: 60, renewable: true } } }
        : { body: key }
    const secretIdFile = path.join(directory, 'token')
    const login = { method: 'approle', mount: loginMount, roleId: 'role', secretIdFile } as const
    await open({ login }, mount).describe()
    expect(asked).toEqual(expected)
  })

  test('whose login hangs lets its caller go', async () => {
    answer = () => new Promise<Answer>(() => {})
    const secretIdFile = path.join(directory, 'token')
    const login = { method: 'approle', mount: 'approle', roleId: 'role', secretIdFile } as const
    const started = performance.now()
    const refusal = open({ login }).describe(AbortSignal.timeout(100))
    await expect(refusal).rejects.toMatchObject({ code: 'unreachable' })
    expect(performance.now() - started).toBeLessThan(1500)
  })

  test.each([
    [400, 'denied'],
    [403, 'denied'],
    [404, 'denied'],
    [429, 'throttled'],
    [500, 'unreachable'],
    [503, 'unreachable'],
  ])('whose login is answered %i is %s', async (status, code) => {
    answer = () => ({ status, body: { errors: ['canary'] } })
    const secretIdFile = path.join(directory, 'token')
    const login = { method: 'approle', mount: 'approle', roleId: 'role', secretIdFile } as const
    const refusal = open({ login }).describe()
    await expect(refusal).rejects.toMatchObject({ code })
    await expect(refusal).rejects.not.toThrow('canary')
  })
})
