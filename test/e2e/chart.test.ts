import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Daemon, startDaemon, untilReady } from '../../hack/local/daemon.ts'
import { kubeconfig } from '../../hack/local/kubeconfig.ts'
import { find, type Rendered, render, workloads } from '../chart/helm.ts'
import { ask } from '../support/ask.ts'
import { anAPIKey, anOrganization } from '../support/build/resource.ts'
import { testCluster } from '../support/controlplane.ts'
import { apply, eventually, kubectl, whenReady } from '../support/kube.ts'
import { prepareContainer, type Started } from '../support/kubelet.ts'
import { emptyDatabase, type TestDatabase } from '../support/postgres.ts'
import { temporaryDirectory } from '../support/servers.ts'
import { run } from '../support/system.ts'

// What the chart renders, run as it says by a stand-in for the kubelet: its commands, variables, files, accounts and
// probes, on a database that has nothing yet.
const system = 'cardea-system'
const directory = temporaryDirectory('pods')
const components = ['operator', 'auth'] as const
type Component = (typeof components)[number]

let ns: string
let database: TestDatabase
let objects: readonly Rendered[]
const containers = new Map<string, Started>()
const daemons = new Map<string, Daemon>()

beforeAll(async () => {
  ns = await testCluster().namespace()
  database = await emptyDatabase()
  // The Secrets of docs/operations/install.md.
  const secrets = [
    ['cardea-database-admin', 'uri', database.superuserUrl],
    ['cardea-database-migrate', 'uri', database.migrateUrl],
    ['cardea-database-operator', 'uri', database.operatorUrl],
    ['cardea-database-auth', 'uri', database.authUrl],
    ['cardea-kms', 'key', `${randomBytes(32).toString('base64')}\n`],
  ] as const
  for (const [name, key, value] of secrets) {
    const literal = `--from-literal=${key}=${value}`
    await kubectl('create', 'secret', 'generic', name, `--namespace=${system}`, literal)
  }
  objects = render({ 'database.admin.secretName': 'cardea-database-admin' })
  for (const workload of workloads(objects)) {
    const name = workload.metadata.labels['app.kubernetes.io/component'] ?? ''
    containers.set(name, await prepareContainer(workload, path.join(directory, name)))
  }
})
afterAll(async () => {
  await Promise.all([...daemons.values()].map((daemon) => daemon.stop()))
  await kubectl('delete', 'secrets', '--all', `--namespace=${system}`)
  await kubectl('delete', 'lease', 'cardea-operator', `--namespace=${system}`, '--ignore-not-found')
  await database.drop()
})

function container(name: string): Started {
  const found = containers.get(name)
  if (!found) throw new Error(`the chart has no ${name}`)
  return found
}

/** A kubeconfig with the account's own token, which a pod has as a file. */
async function login(account: string): Promise<string> {
  const token = await kubectl('create', 'token', account, `--namespace=${system}`)
  const { server, ca } = testCluster()
  const file = path.join(directory, 'kubeconfig')
  writeFileSync(file, kubeconfig({ server, ca, token: token.trim() }), { mode: 0o600 })
  return file
}

async function start(name: Component): Promise<void> {
  const { args, env } = container(name)
  const deployment = find(objects, 'Deployment', `cardea-${name}`)
  const { spec } = deployment['spec'].template
  const account = spec.automountServiceAccountToken
    ? { KUBECONFIG: await login(spec.serviceAccountName) }
    : {}
  const daemon = startDaemon({
    name,
    command: process.execPath,
    args,
    env: { PATH: process.env['PATH'], ...env, ...account },
    logFile: path.join(directory, `${name}.log`),
    graceMs: spec.terminationGracePeriodSeconds * 1000,
  })
  daemons.set(name, daemon)
  await untilReady(daemon, async () => (await fetch(container(name).ready)).ok)
}

test('the migration Job makes roles and schema, and can be run again', async () => {
  const { args, env } = container('migrate')
  const [program = ''] = args
  const migrate = () => run(path.basename(program), [], { env })
  const first = await migrate()
  expect(first, first.stderr).toMatchObject({ code: 0, stderr: '' })
  expect(first.stdout).toMatch(/roles and schema are in place\n[^]*applied [0-9]+ migration/)
  expect(await migrate()).toMatchObject({ code: 0, stdout: expect.stringContaining('up to date') })
})

test.each(components)(
  'the %s starts with what the chart tells it, and its probes answer',
  async (name) => {
    await start(name)
    const { alive, ready, ports } = container(name)
    for (const address of [alive, ready]) expect((await fetch(address)).status).toBe(200)
    const metrics = await (await fetch(`${ports['metrics']}/metrics`)).text()
    expect(metrics).toContain('cardea_build_info')
  },
)

test('together they take a resource to a checked request', async () => {
  await apply(
    anOrganization(ns, `org-${ns}`),
    anAPIKey(ns, 'ci', { organizationRef: { name: `org-${ns}` } }),
  )
  await whenReady('apikey', ns, 'ci')
  const { env } = container('operator')
  const cli = promisify(execFile)(
    process.execPath,
    ['src/main/cli.ts', 'unwrap', '-n', ns, 'ci-secret'],
    {
      env: { ...env, KUBECONFIG: testCluster().kubeconfig },
    },
  )
  const { stdout: key } = await cli
  const { ports } = container('auth')
  const answer = await eventually('the key is allowed', async () => {
    const said = await ask(`${ports['http']}/check?scope=scans:read`, {
      headers: [['x-api-key', key]],
    })
    return said.status === 200 ? said : undefined
  })
  expect(answer.json).toMatchObject({ organization: `org-${ns}`, subject: 'ci' })
})

test.each(components)(
  'the %s was refused nothing, and ends within its grace period',
  async (name) => {
    const daemon = daemons.get(name)
    await daemon?.stop()
    expect(daemon?.ended).toBe('exited with 0')
    const log = readFileSync(path.join(directory, `${name}.log`), 'utf8')
    expect(log).not.toMatch(/[Ff]orbidden|permission denied|"level":"(error|fatal)"/)
  },
)
