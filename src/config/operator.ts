import { type Environment, readEnvironment } from './environment.ts'
import { kmsSettings, readKmsConfig } from './kms.ts'
import {
  databaseUrl,
  duration,
  flag,
  integer,
  label,
  listenAddress,
  listOf,
  logLevel,
  moment,
  otherwise,
  pattern,
  word,
} from './setting.ts'

/** What the operator is told by its environment. */
export type OperatorConfig = ReturnType<typeof readOperatorConfig>

const namespaces = 'must be a list of namespaces, for example team-a,team-b'
const organizations = 'must be a list of namespace/name, for example acme/acme, or *'

/**
 * @param identity what tells this replica from the others where CARDEA_IDENTITY does not
 * @throws ConfigurationError naming every variable that is missing or wrong
 */
export function readOperatorConfig(environment: Environment, identity: string) {
  const settings = readEnvironment(environment, {
    ...kmsSettings,
    CARDEA_DATABASE_URL: databaseUrl(),
    CARDEA_CHANGES_DATABASE_URL: databaseUrl().optional(),
    CARDEA_INSTALLATION: otherwise('default', label()),
    CARDEA_WATCH_NAMESPACES: listOf(label(), namespaces).optional(),
    CARDEA_METRICS_LISTEN: otherwise('0.0.0.0:9090', listenAddress()),
    CARDEA_RESYNC_INTERVAL: otherwise('5m', duration({ min: '1s', max: '24h' })),
    CARDEA_CONCURRENCY: otherwise('16', integer({ min: 1, max: 256 })),
    CARDEA_LEASE_NAMESPACE: otherwise('cardea-system', label()),
    CARDEA_LEASE_NAME: otherwise('cardea-operator', label()),
    CARDEA_IDENTITY: otherwise(identity, word(253)),
    CARDEA_ALLOW_PLAIN_SECRETS: otherwise('false', flag()),
    CARDEA_ADOPT_ORGANIZATIONS: listOf(
      pattern(/^(\*|[a-z0-9-]{1,63}\/[a-z0-9-]{1,63})$/, organizations),
      organizations,
    ).optional(),
    CARDEA_INVITE_OWNERS: otherwise('true', flag()),
    CARDEA_SIGNING_KEY_ROTATION: otherwise('30d', duration({ min: '1m', max: '3650d' })),
    // The operator looks every ten minutes, a replica reads after half a minute, and whoever verifies caches for five.
    CARDEA_SIGNING_KEY_PUBLISH_AHEAD: otherwise('1d', duration({ min: '20m', max: '90d' })),
    CARDEA_SIGNING_KEY_OVERLAP: otherwise('1d', duration({ min: '1s', max: '90d' })),
    CARDEA_SIGNING_KEYS_COMPROMISED_BEFORE: moment().optional(),
    CARDEA_DRAIN_TIMEOUT: otherwise('15s', duration({ min: '1s', max: '10m' })),
    CARDEA_LOG_LEVEL: otherwise('info', logLevel()),
  })
  return Object.freeze({
    databaseUrl: settings.CARDEA_DATABASE_URL,
    changesDatabaseUrl: settings.CARDEA_CHANGES_DATABASE_URL ?? settings.CARDEA_DATABASE_URL,
    kms: readKmsConfig(environment),
    installation: settings.CARDEA_INSTALLATION,
    /** Empty: every namespace. */
    watchNamespaces: settings.CARDEA_WATCH_NAMESPACES ?? [],
    metricsListen: settings.CARDEA_METRICS_LISTEN,
    resyncInterval: settings.CARDEA_RESYNC_INTERVAL,
    concurrency: settings.CARDEA_CONCURRENCY,
    lease: { namespace: settings.CARDEA_LEASE_NAMESPACE, name: settings.CARDEA_LEASE_NAME },
    identity: settings.CARDEA_IDENTITY,
    allowPlainSecrets: settings.CARDEA_ALLOW_PLAIN_SECRETS,
    adoptOrganizations: settings.CARDEA_ADOPT_ORGANIZATIONS ?? [],
    inviteOwners: settings.CARDEA_INVITE_OWNERS,
    /** Milliseconds. */
    signingKeys: {
      every: settings.CARDEA_SIGNING_KEY_ROTATION,
      ahead: settings.CARDEA_SIGNING_KEY_PUBLISH_AHEAD,
      overlap: settings.CARDEA_SIGNING_KEY_OVERLAP,
      compromisedBefore: settings.CARDEA_SIGNING_KEYS_COMPROMISED_BEFORE,
    },
    drainTimeout: settings.CARDEA_DRAIN_TIMEOUT,
    logLevel: settings.CARDEA_LOG_LEVEL,
  })
}
