import { randomBytes } from 'node:crypto'
import { appendFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { encryptionKeyKind } from '../../src/api/v1alpha1/encryptionkey.ts'
import { organizationKind } from '../../src/api/v1alpha1/organization.ts'
import { SECRETS } from '../../src/k8s/secret.ts'
import { anEncryptionKey, anOrganization } from '../support/build/resource.ts'
import { metric, type Program } from '../support/program.ts'
import { openLoop } from './check/openloop.ts'
import {
  create,
  fieldManager,
  namespace,
  say,
  startWorld,
  untilAllReady,
  untilOrganizationReady,
  type World,
} from './cluster.ts'
import { printTable } from './report.ts'

const usage = `usage: ./hack/bench rotation [--keys N] [--rate N]

A new version of an organization's key under N envelopes, while /check is asked: no check fails, the stale envelopes go to 0, and an
operator that is killed half-way goes on where it was.

  --keys N   API keys, each with an envelope; default 10000
  --rate N   checks a second meanwhile; default 500
`

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { keys: { type: 'string' }, rate: { type: 'string' }, help: { type: 'boolean' } },
  })
  if (values.help) {
    process.stdout.write(usage)
    return
  }
  const world = await startWorld()
  try {
    await measure(world, Number(values.keys ?? 10_000), Number(values.rate ?? 500))
  } finally {
    await world.stop()
  }
}

async function measure(world: World, keys: number, rate: number): Promise<void> {
  const settings = { CARDEA_KMS_KEYS: '*=local' }
  let operator = await world.operator(settings)
  await operator.ready()
  await create(world.client, [anEncryptionKey(namespace, 'primary')], encryptionKeyKind)
  const organization = anOrganization(namespace, 'acme', { encryptionKeyRef: { name: 'primary' } })
  await create(world.client, [organization], organizationKind)
  await untilOrganizationReady(world.client)
  const made = await untilAllReady(world.client, 'rotated', keys)
  say(`${keys} API keys are Ready after ${made.toFixed(1)} s`)
  const auth = await world.auth()
  await auth.ready()
  const key = await world.unwrap('rotated-0-secret')

  const asking = ask(auth.url, key, rate)
  appendFileSync(world.kmsKeyFile, `${randomBytes(32).toString('base64')}\n`)
  const started = performance.now()
  const seconds = () => (performance.now() - started) / 1000
  await requestLook(world)
  await until(async () => (await stale(world)) <= keys / 2)
  say(
    `half of the envelopes are sealed anew after ${seconds().toFixed(1)} s: the operator is killed`,
  )
  process.kill(operator.daemon.pid, 'SIGKILL')
  const left = await stale(world)
  operator = await world.operator(settings)
  await operator.ready()
  await until(async () => (await stale(world)) === 0)
  const rewrapped = seconds()
  await until(() => showsNothingStale(operator))
  await until(async () => (await secretsOfVersion(world, '2')) === keys)
  const delivered = seconds()
  const { checks, wrong, p99 } = await asking.stop()
  const same = (await world.unwrap('rotated-0-secret')) === key
  printTable(
    ['what', 'measured'],
    [
      ['envelopes in the database sealed by the new version', `after ${rewrapped.toFixed(1)} s`],
      ['  left to the next operator when the first was killed', String(left)],
      ['Secrets that hold them, and the gauge at 0', `after ${delivered.toFixed(1)} s`],
      ['checks meanwhile', `${checks}, ${wrong} of them failed, p99 ${p99.toFixed(1)} ms`],
      ['a key opens still, and is the same', same ? 'yes' : 'NO'],
    ],
  )
  await operator.daemon.stop()
  await auth.daemon.stop()
  if (wrong > 0 || !same) process.exitCode = 1
}

/** Asks in slices, until it is told to stop. */
function ask(url: string, key: string, rate: number) {
  const stopping = new AbortController()
  const sum = { checks: 0, wrong: 0, p99: 0 }
  const running = (async () => {
    while (!stopping.signal.aborted) {
      const slice = await openLoop({ url, path: '/check', keys: [key], rate, seconds: 2 })
      sum.checks += rate * 2
      sum.wrong += slice.wrong
      sum.p99 = Math.max(sum.p99, slice.p99)
    }
  })()
  return {
    async stop() {
      stopping.abort()
      await running
      return sum
    },
  }
}

async function requestLook({ client }: World): Promise<void> {
  const metadata = {
    annotations: { 'cardea.dev/reconcile-requested-at': new Date().toISOString() },
  }
  await client.patch(encryptionKeyKind, namespace, 'primary', { metadata }, { fieldManager })
}

/** Envelopes in the database that the first version of the key sealed. */
async function stale(world: World): Promise<number> {
  const [row] = await world.sql<{ n: string }>(
    `select count(*) as n from cardea_keys.api_key_envelopes where envelope -> 'kek' ->> 'version' = '1'`,
  )
  return Number(row?.n)
}

async function secretsOfVersion({ client }: World, version: string): Promise<number> {
  const labelSelector = `cardea.dev/kek-version=${version}`
  let count = 0
  let next: string | undefined
  do {
    const selection = { namespace, labelSelector, limit: 500, continue: next }
    const page: Awaited<ReturnType<typeof client.list>> = await client.list(SECRETS, selection)
    count += page.items.length
    next = page.continue
  } while (next !== undefined)
  return count
}

async function showsNothingStale(operator: Program): Promise<boolean> {
  const gauges = await metric(operator, 'cardea_stale_envelopes')
  return gauges.size > 0 && [...gauges.values()].every((count) => count === 0)
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 900_000
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error('this takes longer than a quarter of an hour')
    await new Promise((resolve) => {
      setTimeout(resolve, 250)
    })
  }
}

await main()
