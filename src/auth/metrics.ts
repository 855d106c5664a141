import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { ChangeFeed } from '../db/changes.ts'
import type { ReadThrough } from './check/readthrough.ts'
import { type CheckStatistics, outcomes } from './check/statistics.ts'
import type { IndexKeeper } from './index/keeper.ts'
import type { AccessTokenSigner } from './token/sign.ts'
import type { UsageWriter } from './usage.ts'

export interface MetricsSources {
  readonly statistics: CheckStatistics
  readonly keeper: IndexKeeper
  readonly feed: ChangeFeed
  readonly readThrough: ReadThrough
  readonly usage: UsageWriter
}

export interface Metrics {
  readonly registry: Registry
  /** Counts a request outside of `/check`. */
  countRequest(route: string, method: string, status: number): void
}

const checkBuckets = [5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 5e-3, 2.5e-2, 0.1, 0.5, 2.5]

/** All that the auth service exports. Most of it is counted in plain numbers and read when somebody looks. */
export function createMetrics(sources: MetricsSources): Metrics {
  const registry = new Registry()
  observeChecks(registry, sources.statistics)
  observeIndex(registry, sources)
  observeReadThrough(registry, sources)
  const requests = observeRequests(registry, sources.statistics)
  return {
    registry,
    countRequest: (route, method, status) => {
      const key = `${route} ${method} ${status}`
      requests.set(key, (requests.get(key) ?? 0) + 1)
    },
  }
}

function observeChecks(registry: Registry, statistics: CheckStatistics): void {
  counter(registry, 'cardea_checks_total', 'Checks by how they ended.', ['outcome'], (metric) => {
    for (const outcome of outcomes) metric.inc({ outcome }, 0)
    for (const { outcome, count } of statistics.counts()) metric.inc({ outcome }, count)
  })
  const denials = 'Checks that were denied, by the code of the problem.'
  counter(registry, 'cardea_check_denials_total', denials, ['code'], (metric) => {
    for (const { code, count } of statistics.counts()) {
      if (code !== 'allowed') metric.inc({ code }, count)
    }
  })
  const seconds = new Histogram({
    name: 'cardea_check_seconds',
    help: 'How long checks took inside the service; one of sixteen is timed.',
    buckets: checkBuckets,
    registers: [registry],
  })
  statistics.onSample = (sample) => seconds.observe(sample)
}

function observeIndex(registry: Registry, { keeper, feed, usage }: MetricsSources): void {
  const entries = 'Live credentials in the index.'
  gauge(registry, 'cardea_index_entries', entries, ['kind'], (metric) => {
    metric.set({ kind: 'api_key' }, keeper.index.size)
    metric.set({ kind: 'session' }, keeper.index.sessions)
  })
  const staleness = 'How old the state may be that the index has; +Inf before it was loaded.'
  gauge(registry, 'cardea_index_staleness_seconds', staleness, [], (metric) =>
    metric.set(feed.staleness() / 1000),
  )
  const ready = 'Whether the index is loaded and follows the change feed.'
  gauge(registry, 'cardea_index_ready', ready, [], (metric) => metric.set(feed.following ? 1 : 0))
  const applied = 'Changes that were applied to the index.'
  counter(registry, 'cardea_feed_applied_total', applied, [], (metric) => metric.inc(feed.applied))
  const reloads = 'Times that the index was loaded as a whole.'
  counter(registry, 'cardea_feed_reloads_total', reloads, [], (metric) => metric.inc(feed.reloads))
  const connected = 'Whether there is a connection that listens for changes.'
  gauge(registry, 'cardea_feed_listener_connected', connected, [], (metric) =>
    metric.set(feed.connected ? 1 : 0),
  )
  const flushes = 'Batches in which the use of API keys was written back.'
  counter(registry, 'cardea_usage_flushes_total', flushes, ['outcome'], (metric) => {
    metric.inc({ outcome: 'succeeded' }, usage.succeeded)
    metric.inc({ outcome: 'failed' }, usage.failed)
  })
}

function observeReadThrough(registry: Registry, { readThrough }: MetricsSources): void {
  const help = 'Look-ups of credentials in PostgreSQL, by how they ended.'
  counter(registry, 'cardea_read_through_total', help, ['outcome'], (metric) => {
    for (const [outcome, count] of Object.entries(readThrough.outcomes)) {
      metric.inc({ outcome }, count)
    }
  })
}

/** Counts what the vault answered. */
export function observeVault(
  registry: Registry,
  vault: { readonly outcomes: ReadonlyMap<string, number> },
): void {
  const help =
    'Requests for credentials of third parties, by what was given out (vault, own) or the code of the refusal.'
  counter(registry, 'cardea_vault_resolves_total', help, ['outcome'], (metric) => {
    // There from the start, so that its first rise is seen.
    metric.inc({ outcome: 'provider_credential_unreadable' }, 0)
    for (const [outcome, count] of vault.outcomes) metric.inc({ outcome }, count)
  })
}

/** Tells whether access tokens can be signed. */
export function observeSigning(
  registry: Registry,
  signer: Pick<AccessTokenSigner, 'available'>,
): void {
  const help = 'Whether a signing key is open, so that access tokens can be given (1), or not (0).'
  gauge(registry, 'cardea_signing_available', help, [], (metric) =>
    metric.set(signer.available ? 1 : 0),
  )
}

/** Tells how many passwords wait to be hashed. */
export function observeHashing(registry: Registry, hasher: { readonly waiting: number }): void {
  const help = 'How many passwords wait to be hashed, beside those that are being hashed.'
  gauge(registry, 'cardea_password_queue', help, [], (metric) => metric.set(hasher.waiting))
}

function observeRequests(registry: Registry, statistics: CheckStatistics): Map<string, number> {
  const requests = new Map<string, number>()
  const labels = ['route', 'method', 'status']
  const help = 'Requests by route, method and status.'
  counter(registry, 'cardea_http_requests_total', help, labels, (metric) => {
    for (const { method, status, count } of statistics.counts()) {
      metric.inc({ route: '/check', method, status }, count)
    }
    for (const [key, count] of requests) {
      const [route = '', method = '', status = ''] = key.split(' ')
      metric.inc({ route, method, status }, count)
    }
  })
  return requests
}

function counter(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly string[],
  read: (metric: Counter) => void,
): void {
  const metric = new Counter({
    name,
    help,
    labelNames,
    registers: [],
    collect() {
      this.reset()
      read(this)
    },
  })
  registry.registerMetric(metric)
}

function gauge(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly string[],
  read: (metric: Gauge) => void,
): void {
  const metric = new Gauge({
    name,
    help,
    labelNames,
    registers: [],
    collect() {
      read(this)
    },
  })
  registry.registerMetric(metric)
}
