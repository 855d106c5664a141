import { expect } from 'vitest'
import { open, parseEnvelope } from '../../src/kms/envelope.ts'
import { apiKeyContext } from '../../src/operator/apikey/aad.ts'
import { testCluster } from './controlplane.ts'
import { get, type Loose } from './kube.ts'
import { type OperatorSetting, startOperator, type TestOperator } from './operator.ts'
import { query } from './postgres.ts'
import { type StatusWatch, watchStatuses } from './statuswatch.ts'

/** A namespace, a database and an operator of one test file's own, every status of which is held to kstatus. */
export interface Scene {
  readonly ns: string
  readonly operator: TestOperator
  readonly statuses: StatusWatch
  /** As a superuser with psql would: a change has no actor. */
  sql<Row extends object = Loose>(text: string, ...values: unknown[]): Promise<readonly Row[]>
  /** The key that a Secret holds, opened as its owner would. */
  unwrap(secretName: string, id: string): Promise<string>
  /** Stops the operator; fails when a status broke a rule of kstatus. */
  stop(): Promise<void>
}

export async function openScene(setting: Partial<OperatorSetting> = {}): Promise<Scene> {
  const ns = setting.namespaces?.[0] ?? (await testCluster().namespace())
  const statuses = await watchStatuses(ns)
  const operator = await startOperator({ namespaces: [ns], ...setting })
  return {
    ns,
    operator,
    statuses,
    sql: (text, ...values) => query(operator.database.superuserUrl, text, values),
    async unwrap(secretName, id) {
      const secret = await get('secret', ns, secretName)
      const text = Buffer.from(secret?.data?.['envelope'] ?? '', 'base64').toString()
      const envelope = parseEnvelope(text)
      if (!envelope) throw new Error(`Secret ${secretName} holds no envelope`)
      return (await open(operator.kms, envelope, apiKeyContext(ns, secretName, id))).toString()
    },
    async stop() {
      const broken = await statuses.stop()
      await operator.stop()
      expect(statuses.seen()).toBeGreaterThan(0)
      expect(broken).toEqual([])
    },
  }
}

/** The value of a counter with these labels; 0 when it was never raised. */
export async function counted(
  operator: TestOperator,
  metric: string,
  labels: Readonly<Record<string, string>>,
): Promise<number> {
  const values = (await operator.registry.getSingleMetric(metric)?.get())?.values ?? []
  return values
    .filter((value) => Object.entries(labels).every(([name, text]) => value.labels[name] === text))
    .reduce((sum, { value }) => sum + value, 0)
}
