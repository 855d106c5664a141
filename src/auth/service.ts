import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Pool } from 'pg'
import type { Registry } from 'prom-client'
import { ChangeFeed } from '../db/changes.ts'
import { createApp } from './app.ts'
import { ClientAddresses } from './check/clientaddress.ts'
import { DenialLog } from './check/denials.ts'
import { CheckHandler } from './check/handler.ts'
import { Identities } from './check/identities.ts'
import { Judge } from './check/judge.ts'
import { CredentialLookup } from './check/lookup.ts'
import { OwnOrigins } from './check/ownorigins.ts'
import { Questions } from './check/question.ts'
import { ReadThrough } from './check/readthrough.ts'
import { CheckStatistics } from './check/statistics.ts'
import { WallClock } from './clock.ts'
import { drainServer } from './drain.ts'
import { Activity } from './index/activity.ts'
import { IndexKeeper } from './index/keeper.ts'
import { Meters } from './index/meters.ts'
import type { Tenant } from './index/tenant.ts'
import { Jwks } from './jwks.ts'
import type { AuthLog } from './log.ts'
import { createMetrics } from './metrics.ts'
import { openPeople, type PeopleBackend, type PeopleService } from './openpeople.ts'
import { Hosts } from './plugins/hosts.ts'
import { Replicas } from './replicas.ts'
import { RequestIds } from './requestid.ts'
import { SessionActivityWriter } from './sessionactivity.ts'
import type { KnownOrganization } from './signin/organizations.ts'
import { AccessTokens } from './token/verify.ts'
import { UsageWriter } from './usage.ts'
import { openVault, type VaultBackend } from './vault/open.ts'

export interface AuthServiceOptions {
  readonly pool: Pool
  readonly changesDatabaseUrl: string
  /** Whose signing keys are published. */
  readonly installation: string
  readonly listen: { readonly host: string; readonly port: number }
  /** Networks in CIDR notation. */
  readonly trustedProxies: readonly string[]
  /** Milliseconds, as all times here. */
  readonly maxStaleness: number
  readonly maxOutage: number
  /** Bytes. */
  readonly bodyLimit: number
  readonly replicaId: string
  readonly minReplicas: number
  readonly drainDelay: number
  readonly drainTimeout: number
  /** Undefined where the settings name no key management service: then no credential of a third party is given out. */
  readonly vault?: VaultBackend | undefined
  /** Undefined where the settings name no public URL: then nobody signs in here. */
  readonly people?: PeopleBackend | undefined
  readonly log: AuthLog
  readonly version: string
  /** Told when the index was loaded for the first time, before anybody is sent here. */
  readonly onLoaded: () => void
}

/** How often what is counted in memory is written back, and expired credentials are looked for. */
const usageInterval = 10_000
const reportInterval = 2000
/** A key is published for a day before it signs. */
const jwksInterval = 30_000
const sweep = { interval: 1000, slots: 20_000 } as const

/** The auth service, put together from its parts. */
export class AuthService {
  readonly registry: Registry
  readonly #options: AuthServiceOptions
  readonly #clock = new WallClock()
  readonly #keeper = new IndexKeeper()
  readonly #feed: ChangeFeed
  readonly #usage: UsageWriter
  readonly #sessionActivity: SessionActivityWriter
  readonly #replicas: Replicas
  readonly #jwks: Jwks
  readonly #vault: ReturnType<typeof openVault> | undefined
  readonly #people: PeopleService | undefined
  readonly #app: ReturnType<typeof createApp>
  #sweeper: NodeJS.Timeout | undefined
  #draining = false

  constructor(options: AuthServiceOptions) {
    this.#options = options
    const { pool, log, version } = options
    const keeper = this.#keeper
    const meters = new Meters(() => keeper.index)
    this.#feed = new ChangeFeed({
      connectionString: options.changesDatabaseUrl,
      applicationName: 'cardea-auth-changes',
      log,
      onReload: async (db) => {
        const first = !keeper.loaded
        await keeper.reload(db)
        if (first) options.onLoaded()
      },
      onChanges: (changes, db) => keeper.apply(changes, db),
    })
    this.#usage = new UsageWriter({
      db: pool,
      meters,
      log,
      interval: usageInterval,
    })
    const activity = new Activity(() => keeper.index)
    this.#sessionActivity = new SessionActivityWriter({
      db: pool,
      activity,
      log,
      interval: usageInterval,
    })
    const { replicaId: id, minReplicas: minimum } = options
    this.#replicas = new Replicas({ db: pool, log, id, minimum, interval: reportInterval })
    const readThrough = new ReadThrough(pool, this.#feed, log)
    this.#jwks = new Jwks({
      db: pool,
      installation: options.installation,
      log,
      interval: jwksInterval,
    })
    const { maxStaleness, maxOutage } = options
    const feed = this.#feed
    const lookup = new CredentialLookup({ keeper, feed, readThrough, maxStaleness, maxOutage })
    const statistics = new CheckStatistics()
    const usage = this.#usage
    const metrics = createMetrics({ statistics, keeper, feed, readThrough, usage })
    this.registry = metrics.registry
    this.#vault = options.vault && openVault(options.vault, this.registry, log)
    const clock = this.#clock
    const { publicUrl: issuer, organizationHosts } = options.people ?? {}
    const tokens = issuer === undefined ? undefined : new AccessTokens({ issuer, keys: this.#jwks })
    this.#people =
      options.people &&
      openPeople(options.people, {
        installation: options.installation,
        organizations: {
          byName: (name) => known(keeper.index.tenantByName(name)),
          byDomain: (domain) =>
            keeper.index.tenantsOfDomain(domain).flatMap((tenant) => known(tenant) ?? []),
        },
        readAccessToken: async (text) => tokens?.verify(text, clock.now()),
        clock,
        registry: this.registry,
        log,
      })

    const identities = new Identities(lookup, tokens)
    const origins = new OwnOrigins(
      issuer === undefined ? undefined : new Hosts(issuer, organizationHosts),
    )
    const shared = {
      clock,
      identities,
      judge: new Judge({
        identities,
        meters,
        activity,
        clock,
        share: () => this.#replicas.share,
        isOwnOrigin: (origin) => origins.has(origin),
      }),
      addresses: new ClientAddresses(options.trustedProxies),
      requestIds: new RequestIds(),
      denials: new DenialLog(log),
      bodyLimit: options.bodyLimit,
      log,
      jwks: this.#jwks,
      vault: this.#vault?.vault,
      people: options.people && this.#people && { ...options.people, ...this.#people },
      draining: () => this.#draining,
    }
    const moves = this.#people?.moves
    const check = new CheckHandler({ ...shared, moves, questions: new Questions(), statistics })
    this.#app = createApp({
      ...shared,
      check,
      metrics,
      version,
      isOrigin: (origin) => keeper.index.isOrigin(origin),
    })
  }

  /** Starts to listen and to follow the feed. Answers the port. */
  async start(): Promise<number> {
    const { server } = await this.#app
    const { host, port } = this.#options.listen
    // First: where it cannot listen, nothing else must have begun.
    server.listen(port, host)
    await once(server, 'listening')
    this.#feed.start()
    this.#replicas.start()
    this.#usage.start()
    this.#sessionActivity.start()
    this.#jwks.start()
    this.#vault?.start()
    this.#people?.start()
    this.#sweeper = setInterval(() => {
      this.#keeper.index.sweep(this.#clock.now(), sweep.slots)
    }, sweep.interval)
    return (server.address() as AddressInfo).port
  }

  /** Why this replica should get no requests; undefined when it should. */
  unready(): string | undefined {
    if (this.#draining) return 'draining'
    if (!this.#keeper.loaded) return 'the index of credentials is not loaded yet'
    const { maxOutage, maxStaleness } = this.#options
    const tolerated = Math.max(maxOutage, maxStaleness)
    return this.#feed.staleness() > tolerated ? 'the database is away for too long' : undefined
  }

  /**
   * Stops without dropping a request: says that it is not ready, goes on for as long as others may not have heard, lets
   * what has begun come to its end, and writes down what was counted.
   */
  async stop(): Promise<void> {
    const { drainDelay, drainTimeout } = this.#options
    const deadline = performance.now() + drainTimeout
    this.#draining = true
    const { server, framework } = await this.#app
    await drainServer(server, drainDelay, deadline)
    clearInterval(this.#sweeper)
    this.#jwks.stop()
    await Promise.all([
      this.#feed.stop(),
      this.#usage.stop(),
      this.#sessionActivity.stop(),
      this.#replicas.stop(),
      this.#vault?.stop(),
      this.#people?.stop(),
    ])
    await framework.close()
  }
}

/** A live organization, for whoever is not signed in yet. */
function known(tenant: Tenant | undefined): KnownOrganization | undefined {
  return tenant?.name === undefined ? undefined : { id: tenant.id, name: tenant.name }
}
