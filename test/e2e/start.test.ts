import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort } from '../../hack/local/port.ts'
import { testCluster } from '../support/controlplane.ts'
import { eventually, kubectl } from '../support/kube.ts'
import { emptyDatabase, type TestDatabase } from '../support/postgres.ts'
import { launchAuth, launchOperator, type Program, writeKmsKey } from '../support/program.ts'
import { temporaryDirectory } from '../support/servers.ts'
import { run } from '../support/system.ts'
import { openWire, type Wire } from '../support/wire.ts'

const directory = temporaryDirectory('start')
let database: TestDatabase
let programs: readonly Program[]
let port: number
let wire: Wire | undefined

beforeAll(async () => {
  database = await emptyDatabase()
  port = await freePort()
  const through = (address: string): string => {
    const url = new URL(address)
    url.port = String(port)
    return url.href
  }
  programs = [
    await launchOperator({
      directory,
      kubeconfig: testCluster().operatorKubeconfig,
      databaseUrl: through(database.operatorUrl),
      kmsKeyFile: writeKmsKey(directory),
      settings: { CARDEA_WATCH_NAMESPACES: await testCluster().namespace() },
    }),
    await launchAuth({ directory, databaseUrl: through(database.authUrl), name: 'auth' }),
  ]
})
afterAll(async () => {
  await Promise.all(programs.map(({ daemon }) => daemon.stop()))
  await kubectl('delete', 'lease', 'cardea-operator', '-n', 'cardea-system', '--ignore-not-found')
  await wire?.close()
  await database.drop()
})

const status = async ({ probes }: Program, path: string) =>
  (await fetch(`${probes}/${path}`)).status

/** Each program runs, is not ready, and says what it waits for. */
async function expectWaiting(reason: string): Promise<void> {
  for (const program of programs) {
    await eventually(
      `"${reason}"`,
      () => (program.log().includes(reason) ? true : undefined),
      30_000,
    )
    expect(program.daemon.ended).toBeUndefined()
    expect(await status(program, 'healthz')).toBe(200)
    expect(await status(program, 'readyz')).toBe(503)
  }
}

test('with PostgreSQL away the programs wait and say so', async () => {
  await expectWaiting('waiting for PostgreSQL to answer')
  await sleep(1500)
  await expectWaiting('ECONNREFUSED')
})

test('with a database that is not migrated they wait and say what to do', async () => {
  const { migrateUrl, superuserUrl, operatorUrl, authUrl } = database
  wire = await openWire(Number(new URL(superuserUrl).port), port)
  await expectWaiting('run cardea migrate')
  const env = {
    CARDEA_DATABASE_URL: migrateUrl,
    CARDEA_ADMIN_DATABASE_URL: superuserUrl,
    CARDEA_OPERATOR_DATABASE_URL: operatorUrl,
    CARDEA_AUTH_DATABASE_URL: authUrl,
  }
  expect(await run('migrate.ts', [], { env })).toMatchObject({ code: 0 })
})

test('then they become ready by themselves', async () => {
  const started = performance.now()
  for (const program of programs) await program.ready()
  console.info(`ready ${(performance.now() - started).toFixed(0)} ms after the migration`)
  for (const program of programs) {
    // A line every ten seconds while it waits, not every second.
    expect(program.log().match(/waiting for/g)?.length).toBeLessThan(10)
  }
})

test('a signal ends a program that still waits', async () => {
  const waiting = await launchAuth({
    directory,
    databaseUrl: 'postgres://cardea_auth:x@127.0.0.1:9/cardea',
    name: 'waiting',
  })
  await eventually('it waits', () => (waiting.log().includes('waiting for') ? true : undefined))
  await waiting.daemon.stop()
  expect(waiting.daemon.ended).toBe('exited with 0')
})
