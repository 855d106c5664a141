import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { awsKeyManagement } from './aws.ts'
import type { KeyManagement } from './keymanagement.ts'

const arn = 'arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab'
const dataKey = randomBytes(32)
const context = { namespace: 'acme' }

interface Answer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: object
}

let server: Server
let answer: (operation: string, body: Record<string, unknown>) => Answer
let asked: string[]
let contexts: unknown[]
let kms: KeyManagement

beforeEach(async () => {
  ;[asked, contexts] = [[], []]
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIAEXAMPLE')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'example')
  server = createServer((request, response) => {
    const operation = String(request.headers['x-amz-target']).replace('TrentService.', '')
    asked.push(operation)
    void json(request).then((body) => {
      contexts.push((body as { EncryptionContext?: unknown }).EncryptionContext)
      const { status = 200, headers, body: said } = answer(operation, body as never)
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1', ...headers })
      response.end(JSON.stringify(said))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  kms = awsKeyManagement({ provider: 'aws', region: 'eu-west-1', keyId: arn }, { endpoint })
})

afterEach(async () => {
  await kms.close?.()
  server.close()
  vi.unstubAllEnvs()
})

/** A KMS whose key has this material now; what it made says in front by which. */
function kmsWithMaterial(current: () => string, metadata: object = {}): typeof answer {
  return (operation, body) => {
    const key = { KeySpec: 'SYMMETRIC_DEFAULT', KeyUsage: 'ENCRYPT_DECRYPT', KeyState: 'Enabled' }
    const material = { CurrentKeyMaterialId: current() }
    switch (operation) {
      case 'DescribeKey':
        return { body: { KeyMetadata: { KeyId: arn, Arn: arn, ...key, ...material, ...metadata } } }
      case 'Encrypt':
        return {
          body: { KeyId: arn, CiphertextBlob: encode(current(), String(body['Plaintext'])) },
        }
      default: {
        const [KeyMaterialId, Plaintext] = decode(String(body['CiphertextBlob']))
        return { body: { KeyId: arn, Plaintext, KeyMaterialId } }
      }
    }
  }
}

const encode = (...parts: string[]): string => Buffer.from(parts.join(' ')).toString('base64')
const decode = (text: string): string[] => Buffer.from(text, 'base64').toString().split(' ')

test('a key whose material was renewed wraps with the new one and opens what the old one wrapped', async () => {
  let material = 'a'.repeat(64)
  answer = kmsWithMaterial(() => material)
  const old = await kms.wrap(dataKey, context)
  material = 'b'.repeat(64)
  const young = await kms.wrap(dataKey, context)
  expect([old.version, young.version]).toEqual(['a'.repeat(64), 'b'.repeat(64)])
  expect(await kms.describe()).toEqual({ keyId: arn, version: young.version })
  for (const wrapped of [old, young]) expect(await kms.unwrap(wrapped, context)).toEqual(dataKey)
})

test('a material renewed between the wrap and a look at the key does not become its version', async () => {
  let material = 'a'.repeat(64)
  const renewing = kmsWithMaterial(() => material)
  answer = (operation, body) => {
    const answered = renewing(operation, body)
    if (operation === 'Encrypt') material = 'b'.repeat(64)
    return answered
  }
  expect((await kms.wrap(dataKey, context)).version).toBe('a'.repeat(64))
})

test('a key of a custom key store, whose material has no id, has one version', async () => {
  answer = kmsWithMaterial(() => 'ignored', { CurrentKeyMaterialId: undefined })
  const wrapped = await kms.wrap(dataKey, context)
  expect(wrapped.version).toBe('1')
  expect(await kms.describe()).toEqual({ keyId: arn, version: '1' })
  expect(await kms.unwrap(wrapped, context)).toEqual(dataKey)
})

test('what was wrapped before AWS numbered the material opens afterwards, and is stale', async () => {
  const material = 'a'.repeat(64)
  answer = kmsWithMaterial(() => material, { CurrentKeyMaterialId: undefined })
  const wrapped = await kms.wrap(dataKey, context)
  answer = kmsWithMaterial(() => material)
  expect(await kms.describe()).toEqual({ keyId: arn, version: material })
  expect(await kms.unwrap(wrapped, context)).toEqual(dataKey)
})

test('what was wrapped while AWS numbered the material opens when it does so no more, and is stale', async () => {
  const material = 'a'.repeat(64)
  answer = kmsWithMaterial(() => material)
  const wrapped = await kms.wrap(dataKey, context)
  const numbering = kmsWithMaterial(() => material, { CurrentKeyMaterialId: undefined })
  answer = (operation, body) => {
    const { body: said } = numbering(operation, body)
    return { body: { ...said, KeyMaterialId: undefined } }
  }
  expect(await kms.unwrap(wrapped, context)).toEqual(dataKey)
  expect(await kms.describe()).toEqual({ keyId: arn, version: '1' })
  expect(await kms.unwrap(wrapped, context)).toEqual(dataKey)
})

test.each(['b'.repeat(64), '2', ''])(
  'a version that AWS contradicts is refused: "%s"',
  async (version) => {
    answer = kmsWithMaterial(() => 'a'.repeat(64))
    const wrapped = await kms.wrap(dataKey, context)
    const opened = kms.unwrap({ ...wrapped, version }, context)
    await expect(opened).rejects.toMatchObject({ code: 'refused' })
  },
)

test('opening takes one request once the key is known', async () => {
  answer = kmsWithMaterial(() => 'a')
  const wrapped = await kms.wrap(dataKey, context)
  asked = []
  await kms.unwrap(wrapped, context)
  expect(asked).toEqual(['Decrypt'])
})

test('AWS is given no empty name or value, and no two contexts become the same', async () => {
  answer = kmsWithMaterial(() => 'a')
  await kms.wrap(dataKey, { '': '', project: '', scope: '=', other: 'x=' })
  expect(contexts[0]).toEqual({ '=': '=', project: '=', scope: '==', other: 'x=' })
})

test('a KMS that gives back other bytes than it was given is not believed', async () => {
  const honest = kmsWithMaterial(() => 'a')
  const lying: typeof answer = (operation, body) =>
    operation === 'Decrypt'
      ? { body: { KeyId: arn, Plaintext: randomBytes(32).toString('base64'), KeyMaterialId: 'a' } }
      : honest(operation, body)
  answer = honest
  const wrapped = await kms.wrap(dataKey, context)
  answer = lying
  await expect(kms.wrap(dataKey, context)).rejects.toMatchObject({ code: 'refused' })
  await expect(kms.unwrap(wrapped, context)).rejects.toMatchObject({ code: 'refused' })
})

test.each([
  ['Disabled', 'disabled'],
  ['PendingImport', 'disabled'],
  ['PendingDeletion', 'pending_deletion'],
  ['PendingReplicaDeletion', 'pending_deletion'],
  ['Unavailable', 'unreachable'],
])('a key in the state %s is described as %s', async (KeyState, code) => {
  answer = kmsWithMaterial(() => 'a', { KeyState })
  await expect(kms.describe()).rejects.toMatchObject({ code })
})

test.each([
  ['a key to sign with', { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' }],
  ['an asymmetric key', { KeySpec: 'RSA_2048' }],
])('%s is none to wrap with', async (_, metadata) => {
  answer = kmsWithMaterial(() => 'a', metadata)
  const refusal = kms.describe()
  await expect(refusal).rejects.toMatchObject({ code: 'refused' })
  await expect(refusal).rejects.toThrow('SYMMETRIC_DEFAULT')
})

test.each([
  ['AccessDeniedException', 400, 'denied'],
  ['UnrecognizedClientException', 400, 'denied'],
  ['ExpiredTokenException', 400, 'denied'],
  ['NoSuchThing', 403, 'denied'],
  ['DisabledException', 400, 'disabled'],
  ['KMSInvalidStateException', 400, 'disabled'],
  ['NotFoundException', 400, 'not_found'],
  ['InvalidKeyUsageException', 400, 'refused'],
  ['InvalidCiphertextException', 400, 'refused'],
  ['IncorrectKeyException', 400, 'refused'],
  ['ThrottlingException', 400, 'throttled'],
  ['LimitExceededException', 400, 'throttled'],
  ['NoSuchThing', 429, 'throttled'],
  ['KMSInternalException', 500, 'unreachable'],
  ['DependencyTimeoutException', 503, 'unreachable'],
  ['KeyUnavailableException', 500, 'unreachable'],
])('%s with status %i is %s, and is asked for once', async (name, status, code) => {
  answer = () => ({ status, body: { __type: name, message: 'canary' } })
  const refusal = kms.wrap(dataKey, context)
  await expect(refusal).rejects.toMatchObject({ name: 'KeyManagementError', code })
  await expect(refusal).rejects.toThrow(arn)
  await expect(refusal).rejects.not.toThrow('canary')
  expect(asked).toEqual(['Encrypt'])
})

test('a redirect is not followed', async () => {
  answer = () => ({ status: 307, headers: { location: '/elsewhere' }, body: {} })
  await expect(kms.wrap(dataKey, context)).rejects.toMatchObject({ code: 'unreachable' })
  expect(asked).toEqual(['Encrypt'])
})

test('a KMS that is not there is unreachable', async () => {
  server.close()
  await once(server, 'close')
  await expect(kms.describe()).rejects.toMatchObject({ code: 'unreachable' })
})

test('without credentials it says who gives them', async () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', undefined)
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', undefined)
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true')
  vi.stubEnv('AWS_CONFIG_FILE', '/nonexistent')
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/nonexistent')
  const refusal = kms.describe()
  await expect(refusal).rejects.toMatchObject({ code: 'denied' })
  await expect(refusal).rejects.toThrow('EKS Pod Identity or IRSA')
  expect(asked).toEqual([])
})
