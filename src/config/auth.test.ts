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

const people = { ...database, CARDEA_PUBLIC_URL: 'https://id.example.com' }

test('without a public URL nobody signs in', () => {
  expect(readAuthConfig(database, 'auth-0').people).toBeUndefined()
})

test('with a public URL everything else of people has a value', () => {
  expect(readAuthConfig(people, 'auth-0').people).toEqual({
    publicUrl: 'https://id.example.com',
    organizationHosts: undefined,
    selfService: false,
    selfServiceDomains: [],
    smtp: undefined,
    redis: undefined,
    passwords: { memory: 19_456, iterations: 2, queue: 200, workers: 1 },
    breachedPasswordsUrl: undefined,
  })
})

test.each([
  ['https://id.example.com/', 'https://id.example.com'],
  ['https://ID.example.com:443', 'https://id.example.com'],
  ['https://id.example.com:8443', 'https://id.example.com:8443'],
  ['http://localhost:8080', 'http://localhost:8080'],
  ['http://[::1]:8080', 'http://[::1]:8080'],
])('the public URL %s is the origin %s', (told, origin) => {
  const config = readAuthConfig({ ...database, CARDEA_PUBLIC_URL: told }, 'auth-0')
  expect(config.people?.publicUrl).toBe(origin)
})

test.each([
  [
    'rediss://user:p%40ss@redis.example',
    { port: 6379, tls: true, login: { user: 'user', password: 'p@ss' } },
  ],
  ['redis://:secret@127.0.0.1:6380/3', { port: 6380, tls: false, database: 3 }],
  ['redis://redis.example?tls=off', { tls: false, login: undefined, database: 0 }],
])('Redis is reached as %s says', (url, expected) => {
  const config = readAuthConfig({ ...people, CARDEA_REDIS_URL: url }, 'auth-0')
  expect(config.people?.redis).toMatchObject(expected)
})

test.each([
  ['CARDEA_PUBLIC_URL', 'id.example.com'],
  ['CARDEA_PUBLIC_URL', 'http://id.example.com'],
  ['CARDEA_PUBLIC_URL', 'https://id.example.com/login'],
  ['CARDEA_PUBLIC_URL', 'https://user:p4ssw0rd@id.example.com'],
  ['CARDEA_PUBLIC_URL', 'https://id.example.com?a=b'],
  ['CARDEA_PUBLIC_URL', 'ftp://id.example.com'],
  ['CARDEA_ORGANIZATION_HOSTS', 'id.example.com'],
  ['CARDEA_ORGANIZATION_HOSTS', '.com'],
  ['CARDEA_ORGANIZATION_HOSTS', '.*.example.com'],
  ['CARDEA_SELF_SERVICE', 'yes'],
  ['CARDEA_SELF_SERVICE_DOMAINS', 'Example.com'],
  ['CARDEA_SELF_SERVICE_DOMAINS', 'example.com, @example.org'],
  ['CARDEA_SMTP_URL', 'smtp.example.com'],
  ['CARDEA_SMTP_URL', 'smtps://user:p4ssw0rd@smtp.example.com?tls=off'],
  ['CARDEA_SMTP_CA_FILE', 'a file'],
  ['CARDEA_MAIL_FROM', 'nobody'],
  ['CARDEA_REDIS_URL', 'redis://:p4ssw0rd@redis.example'],
  ['CARDEA_REDIS_URL', 'rediss://:p4ssw0rd@redis.example?tls=off'],
  ['CARDEA_REDIS_URL', 'rediss://redis.example/name'],
  ['CARDEA_REDIS_URL', 'rediss://:p4ssw0rd%ZZ@redis.example'],
  ['CARDEA_REDIS_URL', 'http://redis.example'],
  ['CARDEA_ARGON2_MEMORY', '1024'],
  ['CARDEA_ARGON2_ITERATIONS', '1'],
  ['CARDEA_PASSWORD_QUEUE', '0'],
  ['CARDEA_PASSWORD_WORKERS', '1.5'],
  ['CARDEA_BREACHED_PASSWORDS_URL', 'http://api.pwnedpasswords.com/range/'],
])('of people, %s=%s stops the program, and the sentence names it', (variable, value) => {
  const read = () => readAuthConfig({ ...people, [variable]: value }, 'auth-0')
  expect(read).toThrow(ConfigurationError)
  expect(read).toThrow(new RegExp(`^${variable} must`))
  expect(read).not.toThrow(/p4ssw0rd/)
})

test.each([
  [{ CARDEA_SMTP_URL: 'smtps://smtp.example.com' }, 'CARDEA_PUBLIC_URL is not set'],
  [{ CARDEA_SELF_SERVICE: 'true' }, 'for CARDEA_SELF_SERVICE is set'],
  [
    { CARDEA_PUBLIC_URL: 'https://id.example.com', CARDEA_SMTP_URL: 'smtps://smtp.example.com' },
    'CARDEA_MAIL_FROM is not set',
  ],
])('%j needs another variable, which is named', (told, message) => {
  expect(() => readAuthConfig({ ...database, ...told }, 'auth-0')).toThrow(message)
})
