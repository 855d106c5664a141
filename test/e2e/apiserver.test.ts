import { setTimeout as sleep } from 'node:timers/promises'
import { KubeConfig } from '@kubernetes/client-node'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import type { ControlPlane } from '../../hack/local/controlplane.ts'
import { installCardea, kubectl } from '../../hack/local/install.ts'
import { type APIKey, apiKeyKind } from '../../src/api/v1alpha1/apikey.ts'
import { organizationKind } from '../../src/api/v1alpha1/organization.ts'
import { KubeClient } from '../../src/k8s/client.ts'
import { isReady } from '../../src/k8s/object.ts'
import { anAPIKey, anOrganization } from '../support/build/resource.ts'
import { startControlPlane } from '../support/controlplane.ts'
import { eventually } from '../support/kube.ts'
import { query, type TestDatabase, testDatabase } from '../support/postgres.ts'
import { launchOperator, type Program, writeKmsKey } from '../support/program.ts'
import { temporaryDirectory } from '../support/servers.ts'

const namespace = 'tenant'
const count = 60
/** Milliseconds in which everything must be well again after the last restart. */
const promise = 60_000

let plane: ControlPlane
let database: TestDatabase
let operator: Program
let client: KubeClient

beforeAll(async () => {
  plane = await startControlPlane()
  database = await testDatabase()
  const tools = inject('tools')
  await installCardea(tools, plane.kubeconfig)
  await kubectl(tools, plane.kubeconfig, ['create', 'namespace', namespace])
  const kubeConfig = new KubeConfig()
  kubeConfig.loadFromFile(plane.kubeconfig)
  client = KubeClient.fromKubeConfig(kubeConfig)
})
afterAll(async () => {
  await operator.daemon.stop()
  await client.close()
  await plane.stop()
  await database.drop()
})

test('an API server that says nothing keeps a new operator waiting, not ending', async () => {
  const directory = temporaryDirectory('operator')
  const resume = plane.pauseApiServer()
  operator = await launchOperator({
    directory,
    kubeconfig: plane.operatorKubeconfig,
    databaseUrl: database.operatorUrl,
    kmsKeyFile: writeKmsKey(directory),
  })
  await eventually('it waits', async () => {
    const answer = await fetch(`${operator.probes}/readyz`).catch(() => undefined)
    return answer?.status === 503 ? true : undefined
  })
  await sleep(1000)
  expect(operator.daemon.ended).toBeUndefined()
  resume()
  await operator.ready()
})

/** Creates as somebody does who tries again until it is there. */
async function insist(kind: Parameters<KubeClient['create']>[0], manifest: object): Promise<void> {
  await eventually(
    'it is created',
    async () => {
      try {
        await client.create(kind, { ...manifest } as never, { fieldManager: 'author' })
        return true
      } catch (error) {
        return (error as { reason?: string }).reason === 'AlreadyExists' ? true : undefined
      }
    },
    promise,
  )
}

test('an API server that is killed twice while keys are made loses none of them', async () => {
  const { pid } = operator.daemon
  await insist(organizationKind, anOrganization(namespace, 'acme'))
  let created = 0
  const creating = (async () => {
    for (let at = 0; at < count; at++) {
      await insist(apiKeyKind, anAPIKey(namespace, `key-${at}`))
      created++
      await sleep(20)
    }
  })()
  for (const when of [count / 4, count / 2]) {
    await eventually('some are made', () => (created >= when ? true : undefined), promise)
    await plane.restartApiServer()
  }
  await creating
  const started = performance.now()
  const ready = async () => {
    const { items } = await client.list<APIKey>(apiKeyKind, { namespace })
    return items.length === count && items.every(isReady) ? true : undefined
  }
  await eventually('all are Ready', ready, promise)
  console.info(`all Ready ${(performance.now() - started).toFixed(0)} ms after the last was made`)
  expect([operator.daemon.pid, operator.daemon.ended]).toEqual([pid, undefined])
  const rows = await query<{ keys: number; live: number; secrets: number }>(
    database.superuserUrl,
    `select count(distinct k.id)::int as keys, count(distinct k.name)::int as live, count(s.id)::int as secrets
     from cardea.api_keys k left join cardea.api_key_secrets s on s.api_key_id = k.id`,
  )
  expect(rows).toEqual([{ keys: count, live: count, secrets: count }])
  const delivered = await client.list(
    { group: '', version: 'v1', kind: 'Secret', plural: 'secrets', namespaced: true },
    { namespace, labelSelector: 'cardea.dev/installation' },
  )
  expect(delivered.items.length).toBe(count)
})
