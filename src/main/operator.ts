import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { KubeConfig } from '@kubernetes/client-node'
import { Counter, Registry } from 'prom-client'
import { ConfigurationError } from '../config/environment.ts'
import { type OperatorConfig, readOperatorConfig } from '../config/operator.ts'
import { ChangeFeed } from '../db/changes.ts'
import { takeLeadership } from '../db/leadership.ts'
import { openPool } from '../db/pool.ts'
import { waitForSchema } from '../db/schema.ts'
import { KubeClient } from '../k8s/client.ts'
import { Manager } from '../k8s/manager.ts'
import { RuntimeMetrics } from '../k8s/metrics.ts'
import { buildOperator } from '../operator/operator.ts'
import { maintainSigningKeys } from '../operator/signingkeys.ts'
import { UnwrapJournal } from '../operator/unwraps.ts'
import { openDataKeys } from './datakeys.ts'
import { explainEnd } from './end.ts'
import { openKeyring } from './kms.ts'
import { listening } from './listen.ts'
import { openLogger } from './logger.ts'
import { releaseMemory } from './memory.ts'
import { serveProbes } from './probes.ts'
import { addProcessMetrics } from './processmetrics.ts'
import { keepSigningKeys } from './signingkeys.ts'
import { version } from './version.ts'

const name = 'cardea-operator'
/** How often what every replica has long read is dropped from the change feed, and for how long it is kept. */
const pruning = { every: 300_000, keep: '1 hour' } as const

/** `cardea operator`: runs until it is told to stop. @returns the exit code */
export async function runOperator(): Promise<number> {
  try {
    return await run(readOperatorConfig(process.env, `${hostname()}-${process.pid}`))
  } catch (error) {
    return explainEnd(error, name)
  }
}

async function run(config: OperatorConfig): Promise<number> {
  const logger = openLogger(config.logLevel, name)
  const stopping = new AbortController()
  const ended = endOfProgram(stopping)
  const registry = new Registry()
  addProcessMetrics(registry)
  const keyring = openKeyring(config.kms, registry)
  if (keyring.default.provider === 'local') {
    logger.warn(
      {},
      'the key-encryption key is a local file: whoever reads it reads every secret; use a KMS in production',
    )
  }
  const pool = openPool({
    connectionString: config.databaseUrl,
    applicationName: name,
    log: logger,
    max: 2 * config.concurrency + 4,
    // Passes of all kinds share the connections: to wait for a free one is no sign that the database is away.
    connectTimeout: 10_000,
  })
  const metrics = new RuntimeMetrics(registry)
  const client = KubeClient.fromKubeConfig(loadKubeConfig(), {
    userAgent: `${name}/${version}`,
    onAnswer: (verb, status) => metrics.requested(verb, status),
  })
  countWrites(registry, client)
  let fence: Awaited<ReturnType<typeof takeLeadership>> | undefined
  let synced = false
  const manager = new Manager({
    client,
    logger,
    metrics,
    fieldManager: name,
    identity: config.identity,
    namespaces: config.watchNamespaces,
    concurrency: config.concurrency,
    resyncInterval: config.resyncInterval,
    lease: {
      ...config.lease,
      acquireFence: async () => {
        fence = await takeLeadership(pool, config.installation, config.identity)
      },
    },
  })
  const heldFence = (): NonNullable<typeof fence> => {
    if (!fence) throw new Error('no leadership was taken')
    return fence
  }
  const lost = (): void => {
    logger.error({}, 'another operator leads: this one ends')
    ended.end(1)
  }
  const unwraps = new UnwrapJournal({ pool, fence: heldFence, onFenced: lost, logger })
  const dataKeys = openDataKeys({ keyring, onUnwrap: (unwrap) => unwraps.add(unwrap) })
  const probes = await listening(
    'CARDEA_METRICS_LISTEN',
    serveProbes(config.metricsListen, {
      registry,
      unready: () => (synced ? undefined : 'the caches are not filled yet'),
    }),
  )
  logger.info({ version, installation: config.installation, metrics: probes.address() }, 'started')
  try {
    await waitForSchema(pool, logger, stopping.signal)
    const operator = buildOperator({
      manager,
      pool,
      keyring,
      dataKeys,
      config,
      fence: heldFence,
      randomBytes,
      repaired: repairCounter(registry),
      onFenced: lost,
      logger,
      registry,
    })
    const feed = new ChangeFeed({
      connectionString: config.changesDatabaseUrl,
      applicationName: `${name}-changes`,
      log: logger,
      onReload: async () => {
        // At the start every resource is looked at anyway.
        if (feed.reloads > 0) operator.reloaded()
      },
      onChanges: async (changes) => operator.changed(changes),
    })
    // A signal may come while the API server is away and the caches cannot be filled.
    await Promise.race([manager.start(lost), ended.code])
    synced = manager.hasSynced
    releaseMemory()
    const release = setInterval(() => {
      if (!manager.isLeading || !manager.isIdle) return
      // The first look at everything is over, and left as much behind as filling the caches.
      releaseMemory()
      clearInterval(release)
    }, 1000)
    feed.start()
    operator.start()
    const signing = keepSigningKeys({
      maintain: () =>
        maintainSigningKeys({
          pool,
          keyring,
          installation: config.installation,
          fence: heldFence,
          policy: config.signingKeys,
          now: () => new Date(),
        }),
      onFenced: lost,
      leads: () => manager.isLeading,
      registry,
      logger,
    })
    const prune = setInterval(() => {
      if (!manager.isLeading) return
      pool
        .query('select cardea.prune_changes($1::interval)', [pruning.keep])
        .catch((error: Error) => {
          logger.warn({ err: error }, 'the change feed was not pruned')
        })
    }, pruning.every)
    const code = await ended.code
    logger.info({}, 'stopping')
    clearInterval(prune)
    clearInterval(release)
    await signing.stop()
    await operator.stop()
    await feed.stop()
    await manager.stop(code === 0 ? config.drainTimeout : 0)
    return code
  } catch (error) {
    if (stopping.signal.aborted) return await ended.code
    throw error
  } finally {
    probes.close()
    await unwraps.stop()
    dataKeys.clear()
    await keyring.close()
    await pool.end()
    logger.info({}, 'stopped')
  }
}

/** The end comes by a signal, with code 0, or by a reason of the program's own. */
function endOfProgram(stopping: AbortController) {
  const { promise, resolve } = Promise.withResolvers<number>()
  const end = (code: number): void => {
    stopping.abort()
    resolve(code)
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => end(0))
  return { code: promise, end }
}

function loadKubeConfig(): KubeConfig {
  const kubeConfig = new KubeConfig()
  kubeConfig.loadFromDefault()
  if (!kubeConfig.getCurrentCluster()) {
    throw new ConfigurationError([
      {
        variable: 'KUBECONFIG',
        problem: 'must name a kubeconfig with a current context, outside a cluster',
      },
    ])
  }
  return kubeConfig
}

/** What the client sent, so that anybody can see that an operator with nothing to do writes nothing. */
function countWrites(registry: Registry, client: KubeClient): void {
  const counter = new Counter({
    name: 'cardea_api_writes_total',
    help: 'Write requests sent to the Kubernetes API server.',
    labelNames: ['verb', 'resource'],
    registers: [registry],
    collect() {
      counter.reset()
      for (const [call, count] of client.writes) {
        const [verb = '', resource = ''] = call.split(' ')
        counter.inc({ verb, resource }, count)
      }
    },
  })
}

function repairCounter(registry: Registry): (kind: string, where: 'row' | 'secret') => void {
  const counter = new Counter({
    name: 'cardea_drift_repairs_total',
    help: 'Records and Secrets that somebody changed by hand and that were repaired.',
    labelNames: ['kind', 'where'],
    registers: [registry],
  })
  return (kind, where) => counter.inc({ kind, where })
}

if (import.meta.main) process.exit(await runOperator())
