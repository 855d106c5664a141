import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
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
import { anAPIKey, anOrganization } from '../support/build/resource.ts'
import {
  cpuSeconds,
  launchAuth,
  launchOperator,
  metric,
  type Program,
  residentMegabytes,
  writeKmsKey,
} from '../support/program.ts'
import { makeTemplate, query, TEMPLATE, urlsOf } from '../support/template.ts'
import { buildPrograms } from './programs.ts'
import { printTable, quantile } from './report.ts'

const usage = `usage: ./hack/bench operator [--small N] [--large N] [--edits N]

Goal G11: API keys to Ready, the writes for each, memory, a restart, and an edit to the data plane.

  --small N   the first batch; default 1000
  --large N   the second batch, made beside the first; default 10000
  --edits N   edits that are timed to the auth service's answer; default 100
`
const namespace = 'bench'
const writing = 32
const fieldManager = 'bench'

interface Row {
  readonly what: string
  readonly measured: string
  readonly goal: string
  readonly met: boolean
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      small: { type: 'string' },
      large: { type: 'string' },
      edits: { type: 'string' },
      help: { type: 'boolean' },
    },
  })
  if (values.help) {
    process.stdout.write(usage)
    return
  }
  const [small, large, edits] = [
    Number(values.small ?? 1000),
    Number(values.large ?? 10_000),
    Number(values.edits ?? 100),
  ]
  const world = await startWorld()
  try {
    const rows = await measure(world, small, large, edits)
    process.stdout.write('\n')
    printTable(
      ['goal G11', 'measured', 'goal', ''],
      rows.map((row) => [row.what, row.measured, row.goal, row.met ? 'met' : 'MISSED']),
    )
  } finally {
    await world.stop()
  }
}

type World = Awaited<ReturnType<typeof startWorld>>

async function startWorld() {
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
  const operator = () =>
    launchOperator({
      directory,
      kubeconfig: cluster.operatorKubeconfig,
      databaseUrl: urls.operatorUrl,
      kmsKeyFile,
      programs,
      settings: { CARDEA_LOG_LEVEL: 'warn' },
    })
  return {
    client,
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

async function measure(world: World, small: number, large: number, edits: number): Promise<Row[]> {
  let operator = await world.operator()
  await operator.ready()
  await create(world.client, [anOrganization(namespace, 'acme')], organizationKind)
  await untilOrganizationReady(world.client)
  const rows: Row[] = []
  for (const [count, seconds, label] of [
    [small, 6, 'small'],
    [large, 50, 'large'],
  ] as const) {
    const before = await writes(operator)
    const cpuBefore = cpuSeconds(operator.daemon.pid)
    const took = await untilAllReady(world.client, label, count)
    const each = ((await writes(operator)) - before) / count
    rows.push(
      {
        what: `${count} API keys to Ready`,
        measured: `${took.toFixed(1)} s`,
        goal: `≤ ${seconds} s`,
        met: took <= seconds,
      },
      { what: '  API writes for each', measured: each.toFixed(2), goal: '≤ 3', met: each <= 3.01 },
      {
        what: '  the operator’s CPU',
        measured: `${(((cpuSeconds(operator.daemon.pid) - cpuBefore) / count) * 1000).toFixed(1)} ms a key`,
        goal: '',
        met: true,
      },
    )
  }
  const memory = residentMegabytes(operator.daemon.pid)
  rows.push({
    what: `memory with ${small + large} keys`,
    measured: `${memory.toFixed(0)} MB`,
    goal: '≤ 250 MB',
    met: memory <= 250,
  })
  const edit = await timeEdits(world, edits)
  rows.push({
    what: `edit to data plane, p50 / p99 of ${edits}`,
    measured: `${quantile(edit, 0.5).toFixed(0)} / ${quantile(edit, 0.99).toFixed(0)} ms`,
    goal: 'p99 ≤ 250 ms',
    met: quantile(edit, 0.99) <= 250,
  })
  await operator.daemon.stop()
  const restart = await timeRestart(world, small + large)
  operator = restart.operator
  rows.push(
    {
      what: `restart with ${small + large} keys: all seen`,
      measured: `${restart.seconds.toFixed(1)} s`,
      goal: '≤ 10 s',
      met: restart.seconds <= 10,
    },
    {
      what: '  the operator’s CPU, its start included',
      measured: `${restart.cpu.toFixed(1)} s`,
      goal: '',
      met: true,
    },
    {
      what: '  API writes, the lease aside',
      measured: String(restart.writes),
      goal: '0',
      met: restart.writes === 0,
    },
    {
      what: '  memory after it',
      measured: `${restart.memory.toFixed(0)} MB`,
      goal: '≤ 250 MB',
      met: restart.memory <= 250,
    },
  )
  await operator.daemon.stop()
  return rows
}

async function untilOrganizationReady(client: KubeClient): Promise<void> {
  for (;;) {
    const organization = await client.get(organizationKind, namespace, 'acme')
    if (organization && isReady(organization)) return
    await new Promise((resolve) => {
      setTimeout(resolve, 50)
    })
  }
}

/** Writes of the operator so far, without those of the lease. */
async function writes(operator: Program): Promise<number> {
  const sent = await metric(operator, 'cardea_api_writes_total')
  return [...sent]
    .filter(([labels]) => !labels.includes('leases'))
    .reduce((sum, [, count]) => sum + count, 0)
}

async function create(
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
async function untilAllReady(client: KubeClient, label: string, count: number): Promise<number> {
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

/** Milliseconds from `kubectl apply`'s answer to the auth service deciding by the new spec. */
async function timeEdits(world: World, count: number): Promise<number[]> {
  const auth = await world.auth()
  await auth.ready()
  const key = await world.unwrap('small-0-secret')
  const times: number[] = []
  for (let at = 0; at < count; at += 1) {
    const scope = `edit:n${at}`
    const started = performance.now()
    await world.client.patch(
      apiKeyKind,
      namespace,
      'small-0',
      { spec: { scopes: [scope] } },
      { fieldManager },
    )
    for (;;) {
      const answer = await fetch(`${auth.url}/check?scope=${scope}`, {
        headers: { 'x-api-key': key },
      })
      await answer.arrayBuffer()
      if (answer.status === 200) break
      if (performance.now() - started > 10_000)
        throw new Error(`an edit did not arrive: ${answer.status}`)
    }
    times.push(performance.now() - started)
  }
  await auth.daemon.stop()
  return times
}

async function timeRestart(world: World, keys: number) {
  const started = performance.now()
  const operator = await world.operator()
  for (;;) {
    await new Promise((resolve) => {
      setTimeout(resolve, 100)
    })
    if (operator.daemon.ended) throw new Error(`the operator ended: ${operator.log()}`)
    const passes = await metric(operator, 'controller_runtime_reconcile_total').catch(
      () => new Map<string, number>(),
    )
    const seen = [...passes]
      .filter(([labels]) => labels.includes('apikey'))
      .reduce((sum, [, n]) => sum + n, 0)
    if (seen >= keys) break
    if (performance.now() - started > 120_000)
      throw new Error(`only ${seen} of ${keys} were seen again`)
  }
  const seconds = (performance.now() - started) / 1000
  const cpu = cpuSeconds(operator.daemon.pid)
  await new Promise((resolve) => {
    setTimeout(resolve, 3000)
  })
  return {
    operator,
    seconds,
    cpu,
    writes: await writes(operator),
    memory: residentMegabytes(operator.daemon.pid),
  }
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
  const { execFile } = await import('node:child_process')
  const { promisify } = await import('node:util')
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

function say(line: string): void {
  process.stdout.write(`  ${line}\n`)
}

await main()
