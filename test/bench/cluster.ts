import { execFile } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { KubeConfig } from '@kubernetes/client-node'
import { startControlPlane } from '../../hack/local/controlplane.ts'
import { installCardea, kubectl } from '../../hack/local/install.ts'
import { leashDirectory } from '../../hack/local/leash.ts'
import { startPostgres } from '../../hack/local/postgres.ts'
import { terminalProgress } from '../../hack/local/progress.ts'
import { ensureTools } from '../../hack/local/tools.ts'
import { type APIKey, apiKeyKind } from '../../src/api/v1alpha1/apikey.ts'
import { organizationKind } from '../../src/api/v1alpha1/organization.ts'
import { KubeClient } from '../../src/k8s/client.ts'
import { isReady } from '../../src/k8s/object.ts'
import { anAPIKey } from '../support/build/resource.ts'
import { launchAuth, launchOperator, writeKmsKey } from '../support/program.ts'
import { makeTemplate, query, TEMPLATE, urlsOf } from '../support/template.ts'
import { buildPrograms } from './programs.ts'

export const namespace = 'bench'
const writing = 32
export const fieldManager = 'bench'

export type World = Awaited<ReturnType<typeof startWorld>>

/** A control plane, a database and compiled programs of its own. */
export async function startWorld() {
  const directory = mkdtempSync(path.join(tmpdir(), 'cardea-bench-'))
  leashDirectory(directory)
  const progress = terminalProgress()
  const tools = await ensureTools(progress)
  say('starting the control plane and PostgreSQL')
  const cluster = await startControlPlane(path.join(directory, 'cluster'), { tools })
  const postgres = await startPostgres(path.join(directory, 'postgres'), {})
  await installCardea(tools, cluster.kubeconfig)
  await kubectl(tools, cluster.kubeconfig, ['create', 'namespace', namespace])
  const superuserUrl = postgres.superuserUrl('postgres')
  await makeTemplate(superuserUrl)
  await query(superuserUrl, `create database bench template ${TEMPLATE}`)
  const urls = urlsOf(superuserUrl, 'bench')
  const kubeConfig = new KubeConfig()
  kubeConfig.loadFromFile(cluster.kubeconfig)
  const client = KubeClient.fromKubeConfig(kubeConfig, {
    userAgent: 'cardea-bench',
    connections: writing + 4,
  })
  const kmsKeyFile = writeKmsKey(directory)
  const programs = buildPrograms()
  const operator = (settings: Readonly<Record<string, string>> = {}) =>
    launchOperator({
      directory,
      kubeconfig: cluster.operatorKubeconfig,
      databaseUrl: urls.operatorUrl,
      kmsKeyFile,
      programs,
      settings: { CARDEA_LOG_LEVEL: 'warn', ...settings },
    })
  return {
    client,
    directory,
    kmsKeyFile,
    sql: <Row extends object>(text: string) => query<Row>(urls.superuserUrl, text),
    operator,
    auth: () =>
      launchAuth({
        directory,
        databaseUrl: urls.authUrl,
        name: 'auth',
        settings: { CARDEA_LOG_LEVEL: 'warn' },
      }),
    unwrap: (name: string) => unwrap({ kubeconfig: cluster.kubeconfig, kmsKeyFile, name }),
    async stop() {
      await client.close()
      await cluster.stop()
      await postgres.stop()
    },
  }
}

export async function untilOrganizationReady(client: KubeClient): Promise<void> {
  for (;;) {
    const organization = await client.get(organizationKind, namespace, 'acme')
    if (organization && isReady(organization)) return
    await new Promise((resolve) => {
      setTimeout(resolve, 50)
    })
  }
}

/** Creates resources, many at once. */
export async function create(
  client: KubeClient,
  manifests: readonly ReturnType<typeof anAPIKey>[],
  kind: Parameters<KubeClient['create']>[0],
): Promise<void> {
  const rest = [...manifests]
  const work = async (): Promise<void> => {
    for (let next = rest.pop(); next; next = rest.pop())
      await client.create(kind, { ...next }, { fieldManager })
  }
  await Promise.all(Array.from({ length: writing }, work))
}

/** Seconds from the first create to the last Ready, as a watch sees it. */
export async function untilAllReady(
  client: KubeClient,
  label: string,
  count: number,
): Promise<number> {
  const selector = `batch=${label}`
  let { resourceVersion } = await client.list(apiKeyKind, {
    namespace,
    labelSelector: selector,
    limit: 1,
  })
  const stop = new AbortController()
  const ready = new Set<string>()
  const started = performance.now()
  const watching = (async () => {
    for (;;) {
      const selection = { namespace, labelSelector: selector, resourceVersion, timeoutSeconds: 300 }
      for await (const event of await client.watch<APIKey>(apiKeyKind, selection, stop.signal)) {
        if (event.type === 'BOOKMARK') continue
        resourceVersion = event.object.metadata.resourceVersion
        if (
          event.type !== 'MODIFIED' ||
          !isReady(event.object) ||
          ready.has(event.object.metadata.name)
        )
          continue
        ready.add(event.object.metadata.name)
        if (ready.size % 1000 === 0)
          say(
            `${ready.size} of ${count} Ready after ${((performance.now() - started) / 1000).toFixed(1)} s`,
          )
        if (ready.size === count) return
      }
    }
  })()
  const keys = Array.from({ length: count }, (_, at) =>
    anAPIKey(namespace, `${label}-${at}`, {}, { labels: { batch: label } }),
  )
  await create(client, keys, apiKeyKind)
  await watching
  stop.abort()
  return (performance.now() - started) / 1000
}

async function unwrap({
  kubeconfig,
  kmsKeyFile,
  name,
}: {
  kubeconfig: string
  kmsKeyFile: string
  name: string
}): Promise<string> {
  const cli = path.join(import.meta.dirname, '../../src/main/cli.ts')
  const env = {
    ...process.env,
    KUBECONFIG: kubeconfig,
    CARDEA_KMS: 'local',
    CARDEA_KMS_LOCAL_KEY_FILE: kmsKeyFile,
  }
  return (
    await promisify(execFile)(process.execPath, [cli, 'unwrap', '-n', namespace, name], { env })
  ).stdout
}

export function say(line: string): void {
  process.stdout.write(`  ${line}\n`)
}
