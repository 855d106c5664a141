import { expect, test } from 'vitest'
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
