import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { ROOT } from '../../hack/local/place.ts'
import { open, parseEnvelope } from '../../src/kms/envelope.ts'
import type { KeyManagement } from '../../src/kms/keymanagement.ts'
import { localKeyManagement } from '../../src/kms/local.ts'
import { apiKeyContext } from '../../src/operator/apikey/aad.ts'
import { testCluster } from './controlplane.ts'
import { get, type Loose } from './kube.ts'
import { query, type TestDatabase, testDatabase } from './postgres.ts'
import { launchAuth, launchOperator, type Program, writeKmsKey } from './program.ts'
import { temporaryDirectory } from './servers.ts'

type Settings = Readonly<Record<string, string>>

export interface SystemOptions {
  /** What the operators watch; none: every namespace. */
  readonly namespaces: readonly string[]
  /** Default 1. */
  readonly operators?: number
  /** Default 1. */
  readonly auths?: number
  readonly operatorSettings?: Settings
  readonly authSettings?: Settings
  /** One that the caller has and keeps; otherwise the system has its own. */
  readonly database?: TestDatabase
}

/** How a program ended and what it said. */
export interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Operators and auth replicas as processes, on the cluster that all share and a database of their own. */
export interface System {
  readonly directory: string
  readonly database: TestDatabase
  readonly kmsKeyFile: string
  readonly kms: KeyManagement
  /** In the order of their starts; one that has ended stays in the list. */
  readonly operators: readonly Program[]
  readonly auths: readonly Program[]
  /** The first of each. */
  readonly operator: Program
  readonly auth: Program
  /** Starts one more; resolves when it is ready. */
  startOperator(settings?: Settings): Promise<Program>
  startAuth(settings?: Settings): Promise<Program>
  /** As a superuser with psql would: a change has no actor. */
  sql<Row extends object = Loose>(text: string, ...values: unknown[]): Promise<readonly Row[]>
  /** The key that the Secret of an APIKey holds. */
  unwrap(namespace: string, apiKey: string): Promise<string>
  /** Runs the command line as the cluster's administrator who has the key file. */
  cardea(args: readonly string[], options?: { input?: string; env?: Settings }): Promise<Ended>
  stop(): Promise<void>
}

/** The chart's RBAC names this lease; test files run one at a time, so one after another has it. */
const lease = ['lease', 'cardea-operator', '--namespace=cardea-system', '--ignore-not-found']

/** Starts a system and waits until every process is ready. */
export async function startSystem(options: SystemOptions): Promise<System> {
  const directory = temporaryDirectory('system')
  const database = options.database ?? (await testDatabase())
  const kmsKeyFile = writeKmsKey(directory)
  const kms = localKeyManagement(() => readFileSync(kmsKeyFile, 'utf8'))
  const operators: Program[] = []
  const auths: Program[] = []

  const startOperator = async (settings: Settings = {}): Promise<Program> => {
    const operator = await launchOperator({
      directory,
      kubeconfig: testCluster().operatorKubeconfig,
      databaseUrl: database.operatorUrl,
      kmsKeyFile,
      name: `operator-${operators.length}`,
      settings: {
        CARDEA_WATCH_NAMESPACES: options.namespaces.join(','),
        ...options.operatorSettings,
        ...settings,
      },
    })
    operators.push(operator)
    await operator.ready()
    return operator
  }
  const startAuth = async (settings: Settings = {}): Promise<Program> => {
    const auth = await launchAuth({
      directory,
      databaseUrl: database.authUrl,
      name: `auth-${auths.length}`,
      settings: {
        CARDEA_KMS: 'local',
        CARDEA_KMS_LOCAL_KEY_FILE: kmsKeyFile,
        ...options.authSettings,
        ...settings,
      },
    })
    auths.push(auth)
    await auth.ready()
    return auth
  }
  const stop = async (): Promise<void> => {
    await Promise.all([...auths, ...operators].map(({ daemon }) => daemon.stop()))
    // One that was killed has not given it back, and the next file's operator would wait for it to run out.
    await testCluster().kubectl(['delete', ...lease])
    if (!options.database) await database.drop()
  }

  const system: System = {
    directory,
    database,
    kmsKeyFile,
    kms,
    operators,
    auths,
    get operator() {
      return first(operators)
    },
    get auth() {
      return first(auths)
    },
    startOperator,
    startAuth,
    sql: (text, ...values) => query(database.superuserUrl, text, values),
    async unwrap(namespace, apiKey) {
      const { status } = (await get('apikey', namespace, apiKey)) ?? {}
      const secret = await get('secret', namespace, status?.secretName ?? '')
      const envelope = parseEnvelope(
        Buffer.from(secret?.data?.['envelope'] ?? '', 'base64').toString(),
      )
      if (!envelope) throw new Error(`the Secret of APIKey ${apiKey} holds no envelope`)
      return (
        await open(kms, envelope, apiKeyContext(namespace, status.secretName, status.id))
      ).toString()
    },
    cardea: (args, { input = '', env = {} } = {}) =>
      run('cli.ts', args, {
        input,
        env: {
          KUBECONFIG: testCluster().kubeconfig,
          CARDEA_KMS: 'local',
          CARDEA_KMS_LOCAL_KEY_FILE: kmsKeyFile,
          ...env,
        },
      }),
    stop,
  }
  try {
    const { operators: wantedOperators = 1, auths: wantedAuths = 1 } = options
    await Promise.all([
      inTurn(wantedOperators, startOperator),
      ...Array.from({ length: wantedAuths }, () => startAuth()),
    ])
  } catch (error) {
    await stop()
    throw error
  }
  return system
}

/** Runs one of the programs to its end, with this environment and nothing else. */
export function run(
  script: string,
  args: readonly string[],
  options: { readonly input?: string; readonly env?: Settings; readonly timeout?: number } = {},
): Promise<Ended> {
  const { input = '', env = {}, timeout = 30_000 } = options
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [path.join(ROOT, 'src/main', script), ...args],
      { env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env }, timeout },
      (error, stdout, stderr) => {
        // One that did not end in time was killed and has no exit code.
        const code = error ? (typeof error.code === 'number' ? error.code : -1) : 0
        resolve({ code, stdout, stderr })
      },
    )
    child.stdin?.on('error', () => {})
    child.stdin?.end(input)
  })
}

/** The first operator leads: another is started when it is ready. */
async function inTurn(count: number, start: () => Promise<unknown>): Promise<void> {
  for (let started = 0; started < count; started++) await start()
}

function first(programs: readonly Program[]): Program {
  const [program] = programs
  if (!program) throw new Error('none was started')
  return program
}
