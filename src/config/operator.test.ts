import { expect, test } from 'vitest'
import { ConfigurationError } from './environment.ts'
import { readMigrateConfig } from './migrate.ts'
import { readOperatorConfig } from './operator.ts'

const needed = {
  CARDEA_DATABASE_URL: 'postgres://cardea_operator:s3cret@db/cardea?sslmode=verify-full',
  CARDEA_KMS: 'local',
  CARDEA_KMS_LOCAL_KEY_FILE: '/keys/kms.key',
}

test('the database and the key manager must be told; everything else has a value', () => {
  expect(readOperatorConfig(needed, 'pod-0')).toMatchObject({
    installation: 'default',
    watchNamespaces: [],
    metricsListen: { host: '0.0.0.0', port: 9090 },
    resyncInterval: 300_000,
    concurrency: 16,
    lease: { namespace: 'cardea-system', name: 'cardea-operator' },
    identity: 'pod-0',
    allowPlainSecrets: false,
    adoptOrganizations: [],
    inviteOwners: true,
  })
})

test.each([
  ['CARDEA_DATABASE_URL', undefined],
  ['CARDEA_DATABASE_URL', 'postgres://cardea_operator:s3cret@db/cardea'],
  ['CARDEA_DATABASE_URL', 'postgres://cardea_operator:s3cret@db/cardea?sslmode=require'],
  ['CARDEA_DATABASE_URL', 'postgres://cardea_operator:s3cret@db/cardea?sslmode=no-verify'],
  ['CARDEA_KMS', undefined],
  ['CARDEA_KMS', 'vaultt'],
  ['CARDEA_KMS_LOCAL_KEY_FILE', undefined],
  ['CARDEA_INSTALLATION', 'Not A Label'],
  ['CARDEA_WATCH_NAMESPACES', 'a,B'],
  ['CARDEA_METRICS_LISTEN', '9090'],
  ['CARDEA_RESYNC_INTERVAL', '5'],
  ['CARDEA_CONCURRENCY', '0'],
  ['CARDEA_LEASE_NAMESPACE', '../x'],
  ['CARDEA_LEASE_NAME', 'x y'],
  ['CARDEA_IDENTITY', 'a b'],
  ['CARDEA_ALLOW_PLAIN_SECRETS', 'yes'],
  ['CARDEA_ADOPT_ORGANIZATIONS', 'acme'],
  ['CARDEA_INVITE_OWNERS', 'no'],
  ['CARDEA_DRAIN_TIMEOUT', '-1s'],
  ['CARDEA_LOG_LEVEL', 'loud'],
])('%s=%s stops the operator, and the sentence names it', (variable, value) => {
  const read = () => readOperatorConfig({ ...needed, [variable]: value }, 'pod-0')
  expect(read).toThrow(ConfigurationError)
  expect(read).toThrow(new RegExp(`^${variable} (must|is not set: it must)`))
  expect(read).not.toThrow(/s3cret/)
})

test.each([
  'postgres://u:p@localhost/cardea',
  'postgres://u:p@127.0.0.1:5432/cardea',
  'postgres://u:p@[::1]:5432/cardea',
  'postgres://u:p@%2Fvar%2Frun%2Fpostgresql/cardea',
  'postgres://u:p@db/cardea?sslmode=verify-full&sslrootcert=/etc/cardea/database/ca.crt',
  'postgres://u:p@db/cardea?sslmode=disable',
])('%s is taken', (url) => {
  expect(readOperatorConfig({ ...needed, CARDEA_DATABASE_URL: url }, 'pod-0').databaseUrl).toBe(url)
})

test('cardea migrate needs the other two URLs only to make the roles', () => {
  const CARDEA_DATABASE_URL = 'postgres://cardea_migrate:x@localhost/cardea'
  expect(readMigrateConfig({ CARDEA_DATABASE_URL })).toEqual({
    migrateUrl: CARDEA_DATABASE_URL,
    bootstrap: undefined,
  })
  const admin = {
    CARDEA_DATABASE_URL,
    CARDEA_ADMIN_DATABASE_URL: 'postgres://postgres:x@localhost/cardea',
  }
  expect(() => readMigrateConfig(admin)).toThrow(
    /CARDEA_OPERATOR_DATABASE_URL must be set.*CARDEA_AUTH_DATABASE_URL must be set/,
  )
})
