import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { type Daemon, startDaemon, untilReady } from '../../../hack/local/daemon.ts'
import { nodeFlags } from '../../../hack/local/nodeflags.ts'
import { freePort } from '../../../hack/local/port.ts'

/** The core of whatever is measured. What measures, PostgreSQL included, has the other one. */
const serverCore = 0
export const loadCore = 1

export interface Server {
  readonly daemon: Daemon
  readonly url: string
  /** Of the auth service. */
  readonly metrics?: string
}

export async function startHello(kind: 'node' | 'fastify', directory: string): Promise<Server> {
  const script = path.join(import.meta.dirname, '..', 'hello.ts')
  return start(`hello-${kind}`, directory, [script, kind])
}

export async function startAuthService(
  name: string,
  directory: string,
  programs: string,
  databaseUrl: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<Server> {
  const probes = `127.0.0.1:${await freePort()}`
  const server = await start(
    name,
    directory,
    [...nodeFlags.auth, path.join(programs, 'main', 'auth.js')],
    {
      CARDEA_DATABASE_URL: databaseUrl,
      CARDEA_METRICS_LISTEN: probes,
      CARDEA_DRAIN_DELAY: '0s',
      ...settings,
    },
    `http://${probes}/readyz`,
  )
  return { ...server, metrics: `http://${probes}/metrics` }
}

/** ES256 verifications a second on the servers' core, one after another and nothing else. */
export function measureBareVerify(seconds: number): number {
  const script = path.join(import.meta.dirname, '..', 'bareverify.ts')
  const args = ['--cpu-list', String(serverCore), process.execPath, script, String(seconds)]
  return Number(execFileSync('taskset', args))
}

/** Installs better-auth at its first run. */
export async function startBetterAuth(directory: string, keyFile: string): Promise<Server> {
  const home = path.join(import.meta.dirname, '..', 'rivals', 'better-auth')
  if (!existsSync(path.join(home, 'node_modules'))) {
    execFileSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: home, stdio: 'ignore' })
  }
  return start('better-auth', directory, [path.join(home, 'server.js')], {
    KEY_FILE: keyFile,
    NODE_ENV: 'production',
  })
}

async function start(
  name: string,
  directory: string,
  args: readonly string[],
  settings: Readonly<Record<string, string>> = {},
  readiness?: string,
): Promise<Server> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}/`
  const env = {
    ...process.env,
    PORT: String(port),
    CARDEA_LISTEN: `127.0.0.1:${port}`,
    ...settings,
  }
  const daemon = startDaemon({
    name,
    command: 'taskset',
    args: ['--cpu-list', String(serverCore), process.execPath, ...args],
    env,
    logFile: path.join(directory, `${name}.log`),
  })
  await untilReady(
    daemon,
    async () => {
      const { ok, status } = await fetch(readiness ?? url)
      return readiness === undefined ? status < 500 : ok
    },
    300_000,
  )
  return { daemon, url }
}
