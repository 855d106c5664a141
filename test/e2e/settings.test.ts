import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import path from 'node:path'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testCluster } from '../support/controlplane.ts'
import { eventually } from '../support/kube.ts'
import { emptyDatabase, query, type TestDatabase, testDatabase } from '../support/postgres.ts'
import { writeKmsKey } from '../support/program.ts'
import { temporaryDirectory } from '../support/servers.ts'
import { run } from '../support/system.ts'

type Settings = Readonly<Record<string, string>>

const directory = temporaryDirectory('settings')
const notAKey = path.join(directory, 'not-a.key')
/** What no message may repeat. */
const password = 'hunter2'
const url = `postgres://cardea_auth:${password}@127.0.0.1:9/cardea`
const badUrl = `mysql://cardea:${password}@127.0.0.1/cardea`

/** Enough for each program to get past its settings. */
const enough: Record<string, Settings> = {
  'operator.ts': {
    CARDEA_DATABASE_URL: url,
    CARDEA_KMS: 'local',
    CARDEA_KMS_LOCAL_KEY_FILE: writeKmsKey(directory),
    KUBECONFIG: testCluster().operatorKubeconfig,
  },
  'auth.ts': { CARDEA_DATABASE_URL: url },
  'migrate.ts': { CARDEA_DATABASE_URL: url },
}

const missing = {
  'operator.ts': ['CARDEA_DATABASE_URL', 'CARDEA_KMS'],
  'auth.ts': ['CARDEA_DATABASE_URL'],
  'migrate.ts': ['CARDEA_DATABASE_URL'],
}

const wrong: Record<string, Settings> = {
  'operator.ts': {
    CARDEA_DATABASE_URL: badUrl,
    CARDEA_CHANGES_DATABASE_URL: badUrl,
    CARDEA_KMS: 'rot13',
    CARDEA_INSTALLATION: 'Not A Label',
    CARDEA_WATCH_NAMESPACES: 'team-a,Team B',
    CARDEA_METRICS_LISTEN: '9090',
    CARDEA_RESYNC_INTERVAL: '5 minutes',
    CARDEA_CONCURRENCY: '0',
    CARDEA_LEASE_NAMESPACE: '-',
    CARDEA_LEASE_NAME: 'Lease!',
    CARDEA_IDENTITY: 'two words',
    CARDEA_ALLOW_PLAIN_SECRETS: 'yes',
    CARDEA_ADOPT_ORGANIZATIONS: 'acme',
    CARDEA_DRAIN_TIMEOUT: '0s',
    CARDEA_LOG_LEVEL: 'loud',
  },
  'auth.ts': {
    CARDEA_DATABASE_URL: badUrl,
    CARDEA_CHANGES_DATABASE_URL: badUrl,
    CARDEA_LISTEN: 'localhost',
    CARDEA_METRICS_LISTEN: '127.0.0.1:99999',
    CARDEA_TRUSTED_PROXIES: '10.0.0.0/33',
    CARDEA_MAX_STALENESS: '2',
    CARDEA_MAX_OUTAGE: 'forever',
    CARDEA_BODY_LIMIT: '1',
    CARDEA_REPLICA_ID: 'two words',
    CARDEA_MIN_REPLICAS: '-1',
    CARDEA_DRAIN_DELAY: '5',
    CARDEA_DRAIN_TIMEOUT: '1h',
    CARDEA_LOG_LEVEL: 'loud',
  },
  'migrate.ts': {
    CARDEA_DATABASE_URL: badUrl,
    CARDEA_ADMIN_DATABASE_URL: badUrl,
    CARDEA_OPERATOR_DATABASE_URL: badUrl,
    CARDEA_AUTH_DATABASE_URL: badUrl,
  },
}

/** Runs a program; it must refuse its settings with a line and no secret. Answers the line. */
async function refusal(program: string, env: Settings): Promise<string> {
  const { code, stdout, stderr } = await run(program, [], { env })
  expect({ code, lines: stderr.trimEnd().split('\n').length }, stderr).toEqual({
    code: 2,
    lines: 1,
  })
  expect(stdout + stderr).not.toContain(password)
  return stderr
}

const programs = Object.keys(missing) as (keyof typeof missing)[]

describe.each(programs)('%s', (program) => {
  test('names every setting that is missing', async () => {
    const said = await refusal(program, {})
    for (const name of missing[program]) expect(said).toContain(`${name} is not set`)
  })

  test('names every setting that is wrong, and what it must be', async () => {
    const settings = wrong[program] ?? {}
    const said = await refusal(program, { ...enough[program], ...settings })
    for (const name of Object.keys(settings)) expect(said).toMatch(new RegExp(`\\b${name} must `))
  })
})

test.each([
  ['a key file that is not there', { CARDEA_KMS_LOCAL_KEY_FILE: '/nowhere' }],
  ['a key file without a key', { CARDEA_KMS_LOCAL_KEY_FILE: notAKey }],
  ['a kubeconfig without a context', { KUBECONFIG: notAKey }],
])('the operator ends on %s', async (_, settings: Settings) => {
  writeFileSync(notAKey, 'apiVersion: v1\n')
  const said = await refusal('operator.ts', { ...enough['operator.ts'], ...settings })
  for (const name of Object.keys(settings)) expect(said).toContain(name)
})

describe('an address that another listens on', () => {
  const other = createServer()
  let taken: string
  let database: TestDatabase
  beforeAll(async () => {
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const address = other.address()
    taken = `127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
    database = await testDatabase()
  })
  afterAll(async () => {
    other.close()
    await database.drop()
  })

  test.each([
    ['operator.ts', 'CARDEA_METRICS_LISTEN'],
    ['auth.ts', 'CARDEA_METRICS_LISTEN'],
    ['auth.ts', 'CARDEA_LISTEN'],
  ])('ends the %s with the name of %s', async (program, name) => {
    const env = {
      ...enough[program],
      CARDEA_DATABASE_URL: database.authUrl,
      CARDEA_METRICS_LISTEN: '127.0.0.1:0',
      [name]: taken,
    }
    expect(await refusal(program, env)).toMatch(new RegExp(`${name} must .*EADDRINUSE`))
  })
})

describe('a database that is newer than the program', () => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await testDatabase()
    const [row] = await query<{ columns: string }>(
      database.superuserUrl,
      `select string_agg(column_name, ',') as columns from information_schema.columns
       where table_name = 'schema_migrations' and column_name <> 'version'`,
    )
    await query(
      database.superuserUrl,
      `insert into cardea.schema_migrations (version, ${row?.columns})
       select 999, ${row?.columns} from cardea.schema_migrations limit 1`,
    )
  })
  afterAll(() => database.drop())

  test.each([
    ['operator.ts', 2],
    ['auth.ts', 2],
    ['migrate.ts', 1],
  ])('ends the %s with a sentence', async (program, code) => {
    const ports = { CARDEA_METRICS_LISTEN: '127.0.0.1:0', CARDEA_LISTEN: '127.0.0.1:0' }
    const roles = {
      'operator.ts': database.operatorUrl,
      'auth.ts': database.authUrl,
      'migrate.ts': database.migrateUrl,
    }
    const ended = await run(program, [], {
      env: {
        ...enough[program],
        ...ports,
        CARDEA_DATABASE_URL: roles[program as keyof typeof roles],
      },
    })
    expect(ended.code, ended.stderr).toBe(code)
    expect(ended.stderr).toMatch(/schema version 999.*run a newer Cardea.*\n$/)
  })
})

test('migrate says what to do about a database that has no roles and no schema, and one that is away', async () => {
  const database = await emptyDatabase()
  const bare = await run('migrate.ts', [], { env: { CARDEA_DATABASE_URL: database.migrateUrl } })
  expect(bare).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('CARDEA_ADMIN_DATABASE_URL'),
  })
  await database.drop()
  const away = await run('migrate.ts', [], { env: { CARDEA_DATABASE_URL: url } })
  expect(away).toMatchObject({ code: 1, stderr: expect.stringContaining('does not answer') })
  expect(bare.stderr + away.stderr).not.toContain(password)
})

test('migrate ends with a sentence when its connection is cut', async () => {
  const database = await testDatabase()
  const holder = new Client({ connectionString: database.superuserUrl })
  await holder.connect()
  await holder.query('begin; lock table cardea.schema_migrations in access exclusive mode')
  const migrating = run('migrate.ts', [], { env: { CARDEA_DATABASE_URL: database.migrateUrl } })
  await eventually('it waits, and is cut', async () => {
    const cut = await query(
      database.superuserUrl,
      `select pg_terminate_backend(pid) from pg_stat_activity
       where application_name = 'cardea-migrate' and wait_event_type = 'Lock'`,
    )
    return cut.length === 1 ? true : undefined
  })
  const { code, stderr } = await migrating
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: expect.stringMatching(/^cardea migrate: terminating connection.*\n$/),
  })
  await holder.end()
  await database.drop()
})
