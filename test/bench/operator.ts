import { parseArgs } from 'node:util'
import { apiKeyKind } from '../../src/api/v1alpha1/apikey.ts'
import { organizationKind } from '../../src/api/v1alpha1/organization.ts'
import { anOrganization } from '../support/build/resource.ts'
import { cpuSeconds, metric, type Program, residentMegabytes } from '../support/program.ts'
import {
  create,
  fieldManager,
  namespace,
  startWorld,
  untilAllReady,
  untilOrganizationReady,
  type World,
} from './cluster.ts'
import { printTable, quantile } from './report.ts'

const usage = `usage: ./hack/bench operator [--small N] [--large N] [--edits N]

Goal G11: API keys to Ready, the writes for each, memory, a restart, and an edit to the data plane.

  --small N   the first batch; default 1000
  --large N   the second batch, made beside the first; default 10000
  --edits N   edits that are timed to the auth service's answer; default 100
`

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

/** Writes of the operator so far, without those of the lease. */
async function writes(operator: Program): Promise<number> {
  const sent = await metric(operator, 'cardea_api_writes_total')
  return [...sent]
    .filter(([labels]) => !labels.includes('leases'))
    .reduce((sum, [, count]) => sum + count, 0)
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

await main()
