import { readFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import {
  ChainedTokenCredential,
  EnvironmentCredential,
  type TokenCredential,
} from '@azure/identity'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { azureKeyManagement } from '../../src/kms/azure.ts'
import type { KeyManagement } from '../../src/kms/keymanagement.ts'
import { FakeKeyVault, type FakeVaultKey } from '../support/azurekeyvault.ts'
import {
  expectExactly,
  type KeyUnderTest,
  keyManagementContract,
} from '../support/keymanagement.ts'

const dataKey = Buffer.alloc(32, 7)
const context = { organization: 'acme', purpose: 'data-key' }

let vault: FakeKeyVault
let credential: TokenCredential

beforeAll(async () => {
  vault = await FakeKeyVault.start()
  credential = vault.credential()
})

afterEach(() => {
  vault.login = 'accepted'
  vault.challengeDelay = 0
  vault.redirect = undefined
  vault.gatewayFails = false
})

afterAll(() => vault.close())

function open(
  { name }: Pick<FakeVaultKey, 'name'>,
  { vaultUrl = vault.url, as = credential } = {},
): KeyManagement {
  const { agent } = vault
  return azureKeyManagement({ provider: 'azure', vaultUrl, name }, { agent, credential: as })
}

describe('the contract', () => {
  const make = async (): Promise<KeyUnderTest> => {
    const key = vault.createKey()
    return {
      kms: open(key),
      another: open(vault.createKey()),
      administrator: {
        disable: async () => key.enable(false),
        enable: async () => key.enable(true),
        scheduleDeletion: async () => {
          key.deleted = true
        },
        rotate: async () => key.rotate(),
        deny: async () => {
          key.dataActions = new Set()
        },
      },
      wire: {
        throttle: (requests) => vault.throttle(requests),
        hang: () => vault.hang(),
        requests: () => vault.operations,
      },
    }
  }
  keyManagementContract(make, { hasWire: true })
})

test('a key is known by its URL without a version, and its version by the id in that URL', async () => {
  const key = vault.createKey()
  key.rotate()
  expect(await open(key).describe()).toEqual({
    keyId: `https://acme.vault.azure.net/keys/${key.name}`,
    version: key.versions[1]?.id,
  })
})

test('many at once each get their answer, the first of all requests too', async () => {
  vault.challengeDelay = 200
  const kms = open(vault.createKey())
  const keys = Array.from({ length: 20 }, (_, index) => Buffer.alloc(32, index))
  const wrapped = await Promise.all(keys.map((key) => kms.wrap(key, context)))
  expect(await Promise.all(wrapped.map((key) => kms.unwrap(key, context)))).toEqual(keys)
  const fresh = open({ name: wrapped[0]?.keyId.split('/').at(-1) ?? '' })
  expect(await Promise.all(wrapped.map((key) => fresh.unwrap(key, context)))).toEqual(keys)
})

test('a version that has expired opens what it wrapped, and wraps no more', async () => {
  const key = vault.createKey()
  const kms = open(key)
  const wrapped = await kms.wrap(dataKey, context)
  if (key.versions[0]) key.versions[0].expires = 1
  expect(await open(key).unwrap(wrapped, context)).toEqual(dataKey)
  await expect(kms.wrap(dataKey, context)).rejects.toMatchObject({ code: 'disabled' })
})

describe('a login', () => {
  test('that is refused is denied, and works once it is accepted', async () => {
    const kms = open(vault.createKey(), { as: vault.credential() })
    vault.login = 'refused'
    await expect(kms.describe()).rejects.toMatchObject({ code: 'denied' })
    vault.login = 'accepted'
    await expect(kms.wrap(dataKey, context)).resolves.toMatchObject({ provider: 'azure' })
  })

  test('that is refused is told of without its secret', async () => {
    const key = vault.createKey()
    const asked = open(key, { as: vault.credential('a-wrong-secret') }).describe()
    const error = (await asked.catch((thrown: unknown) => thrown)) as Error
    expect(error.message).toContain(`${vault.url}/keys/${key.name}`)
    expect(error.message).toMatch(/workload identity/)
    expect(String(error.cause)).toContain('AADSTS7000215')
    expect(`${error.stack} ${String(error.cause)}`).not.toContain('a-wrong-secret')
  })

  test('at a service that is down passes by itself, also while nobody asks there again', async () => {
    const kms = open(vault.createKey(), { as: vault.credential() })
    vault.login = 'broken'
    await expect(kms.describe()).rejects.toMatchObject({ code: 'unreachable' })
    await expect(kms.describe()).rejects.toMatchObject({ code: 'unreachable' })
  })

  test('that is cut off passes by itself', async () => {
    const kms = open(vault.createKey(), { as: vault.credential() })
    vault.login = 'cut'
    await expect(kms.describe()).rejects.toMatchObject({ code: 'unreachable' })
    vault.login = 'accepted'
    await expect(kms.wrap(dataKey, context)).resolves.toMatchObject({ provider: 'azure' })
  })

  test('that no platform offers is denied', async () => {
    const nobody = new ChainedTokenCredential(new EnvironmentCredential({ agent: vault.agent }))
    const asked = open(vault.createKey(), { as: nobody }).describe()
    await expect(asked).rejects.toMatchObject({ code: 'denied' })
  })

  test('that cannot be set up is denied, and is set up anew the next time', async () => {
    const vaultUrl = 'https://acme.vault.azure.net'
    const kms = azureKeyManagement(
      { provider: 'azure', vaultUrl, name: 'a' },
      { agent: vault.agent },
    )
    vi.stubEnv('AZURE_TOKEN_CREDENTIALS', 'nonsense')
    for (let attempt = 0; attempt < 2; attempt++) {
      const asked = kms.describe()
      await expect(asked).rejects.toMatchObject({ name: 'KeyManagementError', code: 'denied' })
      await expect(asked).rejects.toThrow('AZURE_TOKEN_CREDENTIALS')
    }
    vi.stubEnv('AZURE_TOKEN_CREDENTIALS', 'EnvironmentCredential')
    await expect(kms.describe()).rejects.toThrow('give its Kubernetes service account')
    vi.unstubAllEnvs()
  })

  test('whose renewal fails fails for whoever asks, and nowhere else', async () => {
    const rejections: unknown[] = []
    const notice = (reason: unknown): number => rejections.push(reason)
    process.on('unhandledRejection', notice)
    const real = vault.credential()
    let renewed = true
    const brief: TokenCredential = {
      async getToken(scopes, options) {
        if (!renewed) throw new Error('the login is away')
        const token = await real.getToken(scopes, options)
        return token && { ...token, expiresOnTimestamp: Date.now() + 1500 }
      },
    }
    const kms = open(vault.createKey(), { as: brief })
    await kms.describe()
    renewed = false
    await expect(kms.describe()).rejects.toMatchObject({ code: 'unreachable' })
    await wait(3500)
    process.off('unhandledRejection', notice)
    expect(rejections).toEqual([])
  })

  test('that the vault does not accept is denied', async () => {
    const stranger: TokenCredential = {
      getToken: async () => ({ token: 'x', expiresOnTimestamp: Date.now() + 60_000 }),
    }
    const asked = open(vault.createKey(), { as: stranger }).describe()
    await expect(asked).rejects.toMatchObject({ code: 'denied' })
  })
})

describe('an address that is no vault of Azure', () => {
  test.each([
    'https://vault.example',
    'https://acme.vault.azure.net.evil.example',
    'https://vault.azure.net',
    'http://acme.vault.azure.net',
    'https://acme.vault.azure.net:8443',
    'https://evil.example#.vault.azure.net',
  ])('is refused without a request: %s', async (address) => {
    const before = vault.connections
    const asked = open({ name: 'k1' }, { vaultUrl: address }).describe()
    await expect(asked).rejects.toMatchObject({ code: 'not_found' })
    expect(vault.connections).toBe(before)
  })
})

test('a redirection is not followed', async () => {
  const key = vault.createKey()
  const kms = open(key)
  const wrapped = await kms.wrap(dataKey, context)
  const before = vault.operations
  for (const redirect of ['https://other.vault.azure.net/', `${vault.url}/keys/k1`]) {
    vault.redirect = redirect
    await expect(kms.unwrap(wrapped, context)).rejects.toMatchObject({ code: 'unreachable' })
  }
  expect(vault.operations - before).toBe(2)
})

test('a page of somebody in between is no answer', async () => {
  const kms = open(vault.createKey())
  vault.gatewayFails = true
  await expect(kms.describe()).rejects.toMatchObject({ code: 'unreachable' })
})

describe('an error names the key and the remedy', () => {
  test.each([
    ['has no such key', 'not_found', 'absent', /create it, or name another/],
    ['denies the key', 'denied', 'deny', /Crypto Service Encryption User/],
    ['holds it disabled', 'disabled', 'disable', /enable it/],
    ['deleted it', 'pending_deletion', 'delete', /recover it/],
    ['holds it for signatures', 'not_found', 'sign', /name an RSA key/],
  ] as const)('when the vault %s', async (_, code, change, remedy) => {
    const key = vault.createKey()
    if (change === 'deny') key.dataActions = new Set()
    if (change === 'disable') key.enable(false)
    if (change === 'delete') key.deleted = true
    if (change === 'sign') key.type = 'EC'
    const name = change === 'absent' ? `${key.name}-absent` : key.name
    const error = await open({ name })
      .wrap(dataKey, context)
      .catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ name: 'KeyManagementError', code })
    expect((error as Error).message).toMatch(remedy)
    expect((error as Error).message).toContain(`${vault.url}/keys/${name}`)
  })
})

test('the rights of the guide are enough, and none of them is too many', async () => {
  const guide = readFileSync('docs/guides/kms-azure.md', 'utf8')
  const rights = [...guide.matchAll(/"(Microsoft\.KeyVault\/\S+)"/g)].map(
    ([, right]) => right ?? '',
  )
  expect(rights).toHaveLength(3)
  await expectExactly(rights, (some) => {
    const key = vault.createKey()
    key.dataActions = new Set(some)
    return open(key)
  })
})

test('a disabled old version refuses what it wrapped, and the new one goes on wrapping', async () => {
  const key = vault.createKey()
  const kms = open(key)
  const old = await kms.wrap(dataKey, context)
  key.rotate()
  if (key.versions[0]) key.versions[0].enabled = false
  await expect(kms.unwrap(old, context)).rejects.toMatchObject({ code: 'disabled' })
  await expect(kms.wrap(dataKey, context)).resolves.toMatchObject({ version: key.versions[1]?.id })
})

test('a version that says another id than the ciphertext is refused without a request', async () => {
  const key = vault.createKey()
  const kms = open(key)
  const wrapped = await kms.wrap(dataKey, context)
  key.rotate()
  const before = vault.operations
  for (const version of [key.versions[1]?.id ?? '', '../../secrets/s', '']) {
    const relabelled = kms.unwrap({ ...wrapped, version }, context)
    await expect(relabelled).rejects.toMatchObject({ code: 'refused' })
  }
  expect(vault.operations).toBe(before)
})
