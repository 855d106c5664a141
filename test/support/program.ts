import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type Daemon, startDaemon, untilReady } from '../../hack/local/daemon.ts'
import { nodeFlags } from '../../hack/local/nodeflags.ts'
import { ROOT } from '../../hack/local/place.ts'
import { freePort } from '../../hack/local/port.ts'

/** One of Cardea's programs as a process of the test's own. */
export interface Program {
  readonly daemon: Daemon
  /** The public base address; empty for the operator, which has none. */
  readonly url: string
  /** The base address of health and metrics. */
  readonly probes: string
  readonly log: () => string
  /** Resolves when /readyz says so. */
  ready(): Promise<void>
}

interface Launch {
  readonly name: string
  readonly directory: string
  readonly settings: Readonly<Record<string, string>>
  /** A command in front of node's own, such as taskset with its arguments. */
  readonly prefix?: readonly string[]
  readonly nodeOptions?: readonly string[]
}

/** Starts an operator; does not wait for it. */
export async function launchOperator(options: {
  readonly directory: string
  readonly kubeconfig: string
  readonly databaseUrl: string
  readonly kmsKeyFile: string
  readonly name?: string
  readonly settings?: Readonly<Record<string, string>>
  /** A directory with the compiled programs; the sources when left out. */
  readonly programs?: string
}): Promise<Program> {
  const { directory, name = 'operator', programs } = options
  const settings = {
    KUBECONFIG: options.kubeconfig,
    CARDEA_DATABASE_URL: options.databaseUrl,
    CARDEA_KMS: 'local',
    CARDEA_KMS_LOCAL_KEY_FILE: options.kmsKeyFile,
    CARDEA_IDENTITY: name,
    ...options.settings,
  }
  const script = programs === undefined ? 'operator.ts' : path.join(programs, 'main/operator.js')
  return launch(script, { name, directory, settings, nodeOptions: nodeFlags.operator })
}

/** Starts an auth service; does not wait for it. */
export async function launchAuth(options: {
  readonly directory: string
  readonly databaseUrl: string
  readonly name: string
  readonly settings?: Readonly<Record<string, string>>
  readonly prefix?: readonly string[]
}): Promise<Program> {
  const { name, directory, prefix } = options
  const settings = {
    CARDEA_DATABASE_URL: options.databaseUrl,
    CARDEA_LISTEN: `127.0.0.1:${await freePort()}`,
    CARDEA_REPLICA_ID: name,
    CARDEA_DRAIN_DELAY: '0s',
    ...options.settings,
  }
  const nodeOptions = nodeFlags.auth
  return launch('auth.ts', { name, directory, settings, nodeOptions, ...(prefix && { prefix }) })
}

async function launch(
  script: string,
  { name, directory, settings, prefix = [], nodeOptions = [] }: Launch,
): Promise<Program> {
  const probes = `127.0.0.1:${await freePort()}`
  const logFile = path.join(directory, `${name}-${randomBytes(3).toString('hex')}.log`)
  const node = [process.execPath, ...nodeOptions, path.resolve(ROOT, 'src/main', script)]
  const [command = '', ...args]: readonly string[] = [...prefix, ...node]
  const daemon = startDaemon({
    name,
    command,
    args,
    cwd: ROOT,
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      CARDEA_METRICS_LISTEN: probes,
      ...settings,
    },
    logFile,
  })
  const base = `http://${probes}`
  return {
    daemon,
    url: settings['CARDEA_LISTEN'] ? `http://${settings['CARDEA_LISTEN']}` : '',
    probes: base,
    log: () => readFileSync(logFile, 'utf8'),
    ready: () => untilReady(daemon, async () => (await fetch(`${base}/readyz`)).ok, 60_000),
  }
}

/** Writes a key file for the local KMS; answers its path. */
export function writeKmsKey(directory: string): string {
  const file = path.join(directory, 'kms.key')
  writeFileSync(file, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600 })
  return file
}

/** The samples of a metric, by their labels as the text has them: `{kind="APIKey"}`; empty for none. */
export async function metric(
  program: Pick<Program, 'probes'>,
  name: string,
): Promise<Map<string, number>> {
  const text = await (await fetch(`${program.probes}/metrics`)).text()
  const samples = text.matchAll(new RegExp(`^${name}(\\{[^}]*\\})? ([-+0-9.eInfNa]+)$`, 'gm'))
  return new Map([...samples].map(([, labels = '', value]) => [labels, Number(value)]))
}

/** The resident set of a process, in MB of 10^6 bytes. */
export function residentMegabytes(pid: number): number {
  const [, kilobytes = '0'] =
    /VmRSS:\s+([0-9]+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return (Number(kilobytes) * 1024) / 1e6
}

/** The CPU seconds that a process has used, user and system. */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / 100
}
