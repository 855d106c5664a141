import { expect, test } from 'vitest'
import { readAuthConfig } from './auth.ts'
import { ConfigurationError } from './environment.ts'

const database = { CARDEA_DATABASE_URL: 'postgres://cardea_auth:secret@localhost:5432/cardea' }

test('only the database must be told; everything else has a value', () => {
  expect(readAuthConfig(database, 'auth-0')).toMatchObject({
    changesDatabaseUrl: database.CARDEA_DATABASE_URL,
    listen: { host: '0.0.0.0', port: 8080 },
    metricsListen: { host: '0.0.0.0', port: 9091 },
    trustedProxies: [],
    maxStaleness: 2000,
    maxOutage: 300_000,
    bodyLimit: 65_536,
    replicaId: 'auth-0',
    minReplicas: 1,
    drainTimeout: 15_000,
    logLevel: 'info',
  })
})

test('what is told is read', () => {
  const config = readAuthConfig(
    {
      ...database,
      CARDEA_LISTEN: '[::1]:0',
      CARDEA_TRUSTED_PROXIES: '10.0.0.0/8, 2001:db8::/32,192.0.2.1',
      CARDEA_MAX_OUTAGE: '1h',
      CARDEA_BODY_LIMIT: '1MiB',
    },
    'auth-0',
  )
  expect(config).toMatchObject({
    listen: { host: '::1', port: 0 },
    trustedProxies: ['10.0.0.0/8', '2001:db8::/32', '192.0.2.1/32'],
    maxOutage: 3_600_000,
    bodyLimit: 1_048_576,
  })
})

test.each([
  ['CARDEA_DATABASE_URL', undefined],
  ['CARDEA_DATABASE_URL', ''],
  ['CARDEA_DATABASE_URL', 'mysql://u:p4ssw0rd@h/d'],
  ['CARDEA_LISTEN', '8080'],
  ['CARDEA_LISTEN', 'host:99999'],
  ['CARDEA_LISTEN', '[nonsense]:1'],
  ['CARDEA_TRUSTED_PROXIES', '10.0.0.0/33'],
  ['CARDEA_TRUSTED_PROXIES', 'proxy.example'],
  ['CARDEA_TRUSTED_PROXIES', 'fe80::1%eth0/64'],
  ['CARDEA_MAX_STALENESS', '2'],
  ['CARDEA_MAX_STALENESS', '2h'],
  ['CARDEA_BODY_LIMIT', '1'],
  ['CARDEA_BODY_LIMIT', '64kb'],
  ['CARDEA_REPLICA_ID', 'a b'],
  ['CARDEA_MIN_REPLICAS', '0'],
  ['CARDEA_LOG_LEVEL', 'verbose'],
])('%s=%s stops the program, and the sentence names it', (variable, value) => {
  const read = () => readAuthConfig({ ...database, [variable]: value }, 'auth-0')
  expect(read).toThrow(ConfigurationError)
  expect(read).toThrow(new RegExp(`^${variable} (must|is not set: it must)`))
  expect(read).not.toThrow(/p4ssw0rd/)
})

test('every wrong variable is named at once', () => {
  const read = () => readAuthConfig({ CARDEA_LISTEN: 'x', CARDEA_BODY_LIMIT: 'y' }, 'auth-0')
  expect(read).toThrow(/CARDEA_DATABASE_URL.*CARDEA_LISTEN.*CARDEA_BODY_LIMIT/)
})
