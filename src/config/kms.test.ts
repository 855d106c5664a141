import { describe, expect, test } from 'vitest'
import { ConfigurationError } from './environment.ts'
import { readKmsConfig } from './kms.ts'

const vault = {
  CARDEA_KMS: 'vault:transit/cardea',
  CARDEA_KMS_VAULT_ADDRESS: 'https://vault.example:8200',
  CARDEA_KMS_VAULT_ROLE: 'cardea',
}

test('a pod logs in to Vault by its own token, unless it is told otherwise', () => {
  expect(readKmsConfig(vault).vault?.login).toEqual({
    method: 'kubernetes',
    mount: 'kubernetes',
    role: 'cardea',
    tokenFile: '/var/run/secrets/kubernetes.io/serviceaccount/token',
  })
})

test('a rule says which namespace may choose which key', () => {
  const settings = {
    ...vault,
    CARDEA_KMS_KEYS: 'acme=aws:eu-west-1:alias/acme, *=vault:transit/shared-*',
  }
  expect(readKmsConfig(settings).allowedKeys).toEqual([
    { namespace: 'acme', key: 'aws:eu-west-1:alias/acme' },
    { namespace: '*', key: 'vault:transit/shared-*' },
  ])
})

test.each([
  ['CARDEA_KMS', { CARDEA_KMS: 'plain' }],
  ['CARDEA_KMS_LOCAL_KEY_FILE', { CARDEA_KMS: 'local' }],
  ['CARDEA_KMS_VAULT_ADDRESS', { ...vault, CARDEA_KMS_VAULT_ADDRESS: undefined }],
  ['CARDEA_KMS_VAULT_ROLE', { ...vault, CARDEA_KMS_VAULT_ROLE: undefined }],
  [
    'CARDEA_KMS_VAULT_ROLE_ID',
    { ...vault, CARDEA_KMS_VAULT_LOGIN: 'approle', CARDEA_KMS_VAULT_SECRET_ID_FILE: '/f' },
  ],
  ['CARDEA_KMS_VAULT_TOKEN_FILE', { ...vault, CARDEA_KMS_VAULT_LOGIN: 'token' }],
  ['CARDEA_KMS_KEYS', { ...vault, CARDEA_KMS_KEYS: 'acme' }],
  ['GOOGLE_SDK_NODE_LOGGING', { ...vault, GOOGLE_SDK_NODE_LOGGING: 'all' }],
])('%s is named when it is missing or wrong', (variable, environment) => {
  const read = () => readKmsConfig(environment)
  expect(read).toThrow(ConfigurationError)
  expect(read).toThrow(new RegExp(`^${variable} (is not set: it must|must) `))
})

describe('the way to a key manager', () => {
  const reached = (address: string) => () => {
    readKmsConfig({ ...vault, CARDEA_KMS_VAULT_ADDRESS: address })
    readKmsConfig({ ...vault, CARDEA_KMS_AWS_ENDPOINT: address })
  }

  test.each([
    'https://vault.example:8200',
    'https://[2001:db8::1]:8200',
    'http://127.0.0.1:8200',
    'http://127.9.9.9:8200',
    'http://localhost:8200',
    'http://[::1]:8200',
  ])('may be %s', (address) => {
    expect(reached(address)).not.toThrow()
  })

  test.each([
    'http://vault.example:8200',
    'http://10.0.0.1:8200',
    'http://localhost.example',
    'http://127.0.0.1.example',
    'http://127.0.0.1@vault.example',
    'http://[::2]',
    'vault.example:8200',
    'https://',
  ])('must not be %s', (address) => {
    expect(reached(address)).toThrow(
      /^CARDEA_KMS_VAULT_ADDRESS must .*https:\/\/.*only to this machine/,
    )
    const aws = () => readKmsConfig({ ...vault, CARDEA_KMS_AWS_ENDPOINT: address })
    expect(aws).toThrow(/^CARDEA_KMS_AWS_ENDPOINT must /)
  })
})
