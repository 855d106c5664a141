import { generateKeyPairSync } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { gcpKeyManagement } from '../../src/kms/gcp.ts'
import type { KeyManagement } from '../../src/kms/keymanagement.ts'
import { type FakeCryptoKey, FakeGcpKms } from '../support/gcpkms.ts'
import {
  expectExactly,
  type KeyUnderTest,
  keyManagementContract,
} from '../support/keymanagement.ts'
import { temporaryDirectory } from '../support/servers.ts'
import { TcpProxy } from '../support/tcpproxy.ts'

const dataKey = Buffer.alloc(32, 7)
const context = { organization: 'acme', purpose: 'data-key' }

let service: FakeGcpKms
const opened: KeyManagement[] = []

beforeAll(async () => {
  service = await FakeGcpKms.start()
  process.env['GOOGLE_APPLICATION_CREDENTIALS'] = service.credentialsFile
})

afterEach(async () => {
  service.damage = 'none'
  service.login = 'accepted'
  process.env['GOOGLE_APPLICATION_CREDENTIALS'] = service.credentialsFile
  for (const key of opened.splice(0)) await key.close?.()
})

afterAll(() => service.close())

function open({ name }: Pick<FakeCryptoKey, 'name'>): KeyManagement {
  const key = gcpKeyManagement({ provider: 'gcp', name }, { endpoint: service.endpoint })
  opened.push(key)
  return key
}

describe('the contract', () => {
  const make = async (): Promise<KeyUnderTest> => {
    const key = service.createKey()
    return {
      kms: open(key),
      another: open(service.createKey()),
      administrator: {
        disable: async () => key.set('DISABLED'),
        enable: async () => key.set('ENABLED'),
        scheduleDeletion: async () => key.set('DESTROY_SCHEDULED'),
        rotate: async () => key.rotate(),
        deny: async () => {
          key.permissions = new Set()
        },
      },
      wire: {
        throttle: (requests) => service.throttle(requests),
        hang: () => service.hang(),
        requests: () => service.requests,
      },
    }
  }
  keyManagementContract(make, { hasWire: true })
})

test('a key is known by its resource name and its versions by their numbers', async () => {
  const key = service.createKey()
  key.rotate()
  expect(await open(key).describe()).toEqual({ keyId: key.name, version: '2' })
})

describe('what is damaged on the way', () => {
  test.each(['question', 'answer', 'unverified'] as const)(
    'is noticed when wrapping: %s',
    async (damage) => {
      const kms = open(service.createKey())
      service.damage = damage
      await expect(kms.wrap(dataKey, context)).rejects.toMatchObject({ code: 'unreachable' })
      service.damage = 'none'
      const wrapped = await kms.wrap(dataKey, context)
      expect(await kms.unwrap(wrapped, context)).toEqual(dataKey)
    },
  )

  test.each(['question', 'answer'] as const)('is noticed when unwrapping: %s', async (damage) => {
    const kms = open(service.createKey())
    const wrapped = await kms.wrap(dataKey, context)
    service.damage = damage
    await expect(kms.unwrap(wrapped, context)).rejects.toMatchObject({ code: 'unreachable' })
    service.damage = 'none'
    expect(await kms.unwrap(wrapped, context)).toEqual(dataKey)
  })
})

describe('a login', () => {
  test('that the token service refuses is denied, and works once it is accepted', async () => {
    const kms = open(service.createKey())
    service.login = 'refused'
    const refused = kms.wrap(dataKey, context)
    await expect(refused).rejects.toMatchObject({ code: 'denied' })
    await expect(refused).rejects.toThrow(/bind its Kubernetes service account/)
    await expect(refused).rejects.not.toThrow(/the-token-of-a-service-account/)
    service.login = 'accepted'
    await expect(kms.wrap(dataKey, context)).resolves.toMatchObject({ version: '1' })
  })

  test('to a token service that is down passes by itself', async () => {
    const kms = open(service.createKey())
    service.login = 'broken'
    await expect(kms.wrap(dataKey, context)).rejects.toMatchObject({ code: 'unreachable' })
  })

  test('without any credentials is denied, and works once there are some', async () => {
    const kms = open(service.createKey())
    process.env['GOOGLE_APPLICATION_CREDENTIALS'] = '/nowhere/credentials.json'
    await expect(kms.describe()).rejects.toMatchObject({ code: 'denied' })
    process.env['GOOGLE_APPLICATION_CREDENTIALS'] = service.credentialsFile
    await expect(kms.describe()).resolves.toMatchObject({ version: '1' })
  })

  test('that the service itself does not accept is denied', async () => {
    process.env['GOOGLE_APPLICATION_CREDENTIALS'] = somebodyElses()
    await expect(open(service.createKey()).describe()).rejects.toMatchObject({ code: 'denied' })
  })
})

describe('an error names the key and the remedy', () => {
  test.each([
    ['has no such key', 'not_found', undefined, /create it, or name another/],
    ['denies the key', 'denied', 'deny', /grant its service account cloudkms\./],
    ['holds it disabled', 'disabled', 'disable', /enable it/],
    ['is to destroy it', 'pending_deletion', 'destroy', /restore and enable it/],
    ['holds it for signatures', 'not_found', 'sign', /purpose ENCRYPT_DECRYPT/],
  ] as const)('when the service %s', async (_, code, change, remedy) => {
    const key = change ? service.createKey() : { name: `${service.createKey().name}-absent` }
    if (key instanceof Object && 'versions' in key) {
      if (change === 'deny') key.permissions = new Set()
      if (change === 'disable') key.set('DISABLED')
      if (change === 'destroy') key.set('DESTROY_SCHEDULED')
      if (change === 'sign') key.purpose = 'ASYMMETRIC_SIGN'
    }
    const asked = change === 'sign' ? open(key).describe() : open(key).wrap(dataKey, context)
    const error = await asked.catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ name: 'KeyManagementError', code })
    expect((error as Error).message).toMatch(remedy)
    expect((error as Error).message).toContain(key.name)
  })
})

test('the rights of the guide are enough, and none of them is too many', async () => {
  const guide = readFileSync('docs/guides/kms-gcp.md', 'utf8')
  const rights = [...guide.matchAll(/^ {2}- (cloudkms\.\S+)$/gm)].map(([, right]) => right ?? '')
  expect(rights).toHaveLength(3)
  await expectExactly(rights, (some) => {
    const key = service.createKey()
    key.permissions = new Set(some)
    return open(key)
  })
})

test('a disabled old version refuses what it wrapped, and the new one goes on wrapping', async () => {
  const key = service.createKey()
  const kms = open(key)
  const old = await kms.wrap(dataKey, context)
  key.rotate()
  if (key.versions[0]) key.versions[0].state = 'DISABLED'
  await expect(kms.unwrap(old, context)).rejects.toMatchObject({ code: 'disabled' })
  await expect(kms.wrap(dataKey, context)).resolves.toMatchObject({ version: '2' })
})

test('a version that says another number than the ciphertext is refused without a request', async () => {
  const key = service.createKey()
  const kms = open(key)
  const wrapped = await kms.wrap(dataKey, context)
  key.rotate()
  const before = service.requests
  const relabelled = kms.unwrap({ ...wrapped, version: '2' }, context)
  await expect(relabelled).rejects.toMatchObject({ code: 'refused' })
  expect(service.requests).toBe(before)
})

test('a server that is not there is unreachable', async () => {
  const { name } = service.createKey()
  const kms = gcpKeyManagement({ provider: 'gcp', name }, { endpoint: 'localhost:1' })
  opened.push(kms)
  await expect(kms.wrap(dataKey, context)).rejects.toMatchObject({ code: 'unreachable' })
})

test('a connection that died without a word is given up, and another one is made', async () => {
  const proxy = await TcpProxy.open(`https://${service.endpoint}`)
  const { name } = service.createKey()
  const endpoint = `localhost:${new URL(proxy.url).port}`
  const kms = gcpKeyManagement({ provider: 'gcp', name }, { endpoint })
  opened.push(kms)
  await kms.wrap(dataKey, context)
  proxy.lose()
  const hurried = kms.wrap(dataKey, context, AbortSignal.timeout(1000))
  await expect(hurried).rejects.toMatchObject({ code: 'unreachable' })
  const started = performance.now()
  await expect(kms.wrap(dataKey, context)).rejects.toMatchObject({ code: 'unreachable' })
  expect(performance.now() - started).toBeLessThan(9500)
  await expect(kms.wrap(dataKey, context)).resolves.toMatchObject({ keyId: name })
  await proxy.close()
})

/** The credentials of a service account that the service does not know: its tokens are signed here, nobody is asked. */
function somebodyElses(): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const file = path.join(temporaryDirectory('gcp'), 'somebody.json')
  writeFileSync(
    file,
    JSON.stringify({
      type: 'service_account',
      client_email: 'somebody@elsewhere.iam.gserviceaccount.com',
      private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    }),
  )
  return file
}
