import { randomBytes } from 'node:crypto'
import { KubeConfig } from '@kubernetes/client-node'
import { Pool } from 'pg'
import { pino } from 'pino'
import { Counter, Registry } from 'prom-client'
import { ChangeFeed } from '../../src/db/changes.ts'
import { takeLeadership } from '../../src/db/leadership.ts'
import { DataKeys, type Unwrap } from '../../src/encryption/datakeys.ts'
import { KubeClient } from '../../src/k8s/client.ts'
import { Manager } from '../../src/k8s/manager.ts'
import { RuntimeMetrics } from '../../src/k8s/metrics.ts'
import type { KeyManagement } from '../../src/kms/keymanagement.ts'
import type { Keyring } from '../../src/kms/keyring.ts'
import { localKeyManagement } from '../../src/kms/local.ts'
import { buildOperator, type OperatorOptions } from '../../src/operator/operator.ts'
import { UnwrapJournal } from '../../src/operator/unwraps.ts'
import { type TestCluster, testCluster } from './controlplane.ts'
import { keyringOf } from './keyring.ts'
import { type TestDatabase, testDatabase } from './postgres.ts'

export interface OperatorSetting {
  readonly namespaces: readonly string[]
  readonly database?: TestDatabase
  readonly installation?: string
  readonly allowPlainSecrets?: boolean
  readonly adoptOrganizations?: readonly string[]
  readonly inviteOwners?: boolean
  readonly kms?: KeyManagement
  /** Instead of one whose only key is `kms`. */
  readonly keyring?: Keyring
  readonly pace?: OperatorOptions['pace']
  readonly resyncInterval?: number
}

/** An operator in this process, under the operator's own rights in the cluster and in the database. */
export interface TestOperator {
  readonly manager: Manager
  readonly client: KubeClient
  readonly database: TestDatabase
  readonly pool: Pool
  readonly registry: Registry
  readonly kms: KeyManagement
  /** Lines that it logged, from `info` up. */
  readonly log: readonly string[]
  /** How often a write of it was fenced off: the program would have ended. */
  readonly fenced: () => number
  /** Ends it as SIGTERM would. */
  stop(): Promise<void>
}

const testKeyFile = randomBytes(32).toString('base64')
export const testKek = localKeyManagement(() => testKeyFile)

export async function startOperator(setting: OperatorSetting): Promise<TestOperator> {
  const cluster: TestCluster = testCluster()
  const database = setting.database ?? (await testDatabase())
  const kubeConfig = new KubeConfig()
  kubeConfig.loadFromFile(cluster.operatorKubeconfig)
  const log: string[] = []
  const logger = pino({ level: 'debug' }, { write: (line: string) => void log.push(line) })
  const registry = new Registry()
  const client = KubeClient.fromKubeConfig(kubeConfig)
  const pool = new Pool({ connectionString: database.operatorUrl, max: 20 })
  pool.on('error', () => {})
  const installation = setting.installation ?? 'test'
  const fence = await takeLeadership(pool, installation, 'test')
  let fenced = 0
  const onFenced = (): void => {
    fenced += 1
  }
  const kms = setting.kms ?? testKek
  const manager = new Manager({
    client,
    logger,
    metrics: new RuntimeMetrics(registry),
    fieldManager: 'cardea-operator',
    identity: 'test',
    namespaces: setting.namespaces,
    ...(setting.resyncInterval !== undefined && { resyncInterval: setting.resyncInterval }),
  })
  const repairs = new Counter({
    name: 'cardea_drift_repairs_total',
    help: 'Repairs.',
    labelNames: ['kind', 'where'],
    registers: [registry],
  })
  const keyring = setting.keyring ?? keyringOf(kms)
  const unwraps = new UnwrapJournal({ pool, fence: () => fence, onFenced, logger })
  const onUnwrap = (unwrap: Unwrap): void => unwraps.add(unwrap)
  const dataKeys = new DataKeys({ keyring, now: () => performance.now(), onUnwrap })
  const operator = buildOperator({
    manager,
    pool,
    keyring,
    dataKeys,
    config: {
      installation,
      allowPlainSecrets: setting.allowPlainSecrets ?? false,
      adoptOrganizations: setting.adoptOrganizations ?? [],
      inviteOwners: setting.inviteOwners ?? true,
    },
    fence: () => fence,
    randomBytes,
    repaired: (kind, where) => repairs.inc({ kind, where }),
    onFenced,
    logger,
    registry,
    ...(setting.pace && { pace: setting.pace }),
  })
  const feed = new ChangeFeed({
    connectionString: database.operatorUrl,
    applicationName: 'test-operator',
    log: logger,
    onReload: async () => {},
    onChanges: async (changes) => operator.changed(changes),
  })
  await manager.start(() => {})
  feed.start()
  operator.start()
  return {
    manager,
    client,
    database,
    pool,
    registry,
    kms,
    log,
    fenced: () => fenced,
    async stop() {
      await operator.stop()
      await feed.stop()
      await manager.stop(5000)
      await unwraps.stop()
      await pool.end()
      if (!setting.database) await database.drop()
    },
  }
}
