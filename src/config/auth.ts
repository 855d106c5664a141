import { type Environment, readEnvironment } from './environment.ts'
import { kmsSettings, readKmsConfig } from './kms.ts'
import { peopleSettings, readPeopleConfig } from './people.ts'
import {
  byteSize,
  databaseUrl,
  duration,
  integer,
  label,
  listenAddress,
  listOf,
  logLevel,
  network,
  otherwise,
  word,
} from './setting.ts'

/** What the auth service is told by its environment. */
export type AuthConfig = ReturnType<typeof readAuthConfig>

const networks = 'must be a list of networks in CIDR notation, for example 10.0.0.0/8,2001:db8::/32'

/**
 * @param host what tells this replica from the others where CARDEA_REPLICA_ID does not
 * @throws ConfigurationError naming every variable that is missing or wrong
 */
export function readAuthConfig(environment: Environment, host: string) {
  const settings = readEnvironment(environment, {
    ...kmsSettings,
    CARDEA_KMS: kmsSettings.CARDEA_KMS.optional(),
    CARDEA_DATABASE_URL: databaseUrl(),
    CARDEA_CHANGES_DATABASE_URL: databaseUrl().optional(),
    CARDEA_INSTALLATION: otherwise('default', label()),
    CARDEA_LISTEN: otherwise('0.0.0.0:8080', listenAddress()),
    CARDEA_METRICS_LISTEN: otherwise('0.0.0.0:9091', listenAddress()),
    CARDEA_TRUSTED_PROXIES: listOf(network(), networks).optional(),
    CARDEA_MAX_STALENESS: otherwise('2s', duration({ min: '1s', max: '1m' })),
    CARDEA_MAX_OUTAGE: otherwise('5m', duration({ min: '0s', max: '24h' })),
    CARDEA_BODY_LIMIT: otherwise('64KiB', byteSize({ min: 1024, max: 16_777_216 })),
    CARDEA_REPLICA_ID: otherwise(host, word(253)),
    CARDEA_MIN_REPLICAS: otherwise('1', integer({ min: 1, max: 1000 })),
    CARDEA_DRAIN_DELAY: otherwise('3s', duration({ min: '0s', max: '5m' })),
    CARDEA_DRAIN_TIMEOUT: otherwise('15s', duration({ min: '1s', max: '10m' })),
    CARDEA_DATA_KEY_LIFETIME: otherwise('5m', duration({ min: '1s', max: '1h' })),
    CARDEA_LOG_LEVEL: otherwise('info', logLevel()),
    ...peopleSettings,
  })
  return Object.freeze({
    databaseUrl: settings.CARDEA_DATABASE_URL,
    /** LISTEN needs a session of its own, which PgBouncer in transaction mode does not give. */
    changesDatabaseUrl: settings.CARDEA_CHANGES_DATABASE_URL ?? settings.CARDEA_DATABASE_URL,
    installation: settings.CARDEA_INSTALLATION,
    listen: settings.CARDEA_LISTEN,
    metricsListen: settings.CARDEA_METRICS_LISTEN,
    trustedProxies: settings.CARDEA_TRUSTED_PROXIES ?? [],
    maxStaleness: settings.CARDEA_MAX_STALENESS,
    maxOutage: settings.CARDEA_MAX_OUTAGE,
    bodyLimit: settings.CARDEA_BODY_LIMIT,
    replicaId: settings.CARDEA_REPLICA_ID,
    minReplicas: settings.CARDEA_MIN_REPLICAS,
    drainDelay: Math.min(settings.CARDEA_DRAIN_DELAY, settings.CARDEA_DRAIN_TIMEOUT),
    drainTimeout: settings.CARDEA_DRAIN_TIMEOUT,
    logLevel: settings.CARDEA_LOG_LEVEL,
    /** Milliseconds: how long a data key is used without asking the key management service again. */
    dataKeyLifetime: settings.CARDEA_DATA_KEY_LIFETIME,
    /** Undefined: the vault is closed, and everything else unaffected. */
    kms: settings.CARDEA_KMS === undefined ? undefined : readKmsConfig(environment),
    /** Undefined: nobody signs in here. */
    people: readPeopleConfig(environment),
  })
}
