import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished } from 'vitest'
import { leashProcess, unleashProcess } from '../../hack/local/leash.ts'
import { freePort } from '../../hack/local/port.ts'
import { AuthService } from '../../src/auth/service.ts'
import type { VaultBackend } from '../../src/auth/vault/open.ts'
import { readAuthConfig } from '../../src/config/auth.ts'
import { openPool } from '../../src/db/pool.ts'
import { openPeopleBackend } from '../../src/main/people.ts'
import { openVaultBackend } from '../../src/main/vault.ts'

type Settings = Readonly<Record<string, string>>

interface LogLine {
  readonly level: string
  readonly msg: string
  readonly [field: string]: unknown
}

/** An auth service in the test's own process. */
export interface RunningAuth {
  readonly url: string
  readonly service: AuthService
  readonly lines: readonly LogLine[]
  /** A metric's value; the sum over its labels where none are given. */
  metric(name: string, labels?: Settings): Promise<number>
  /** Ends it; what ended stays so. */
  stop(): Promise<void>
}

/**
 * Starts an auth service on a free port, by default with this machine as its trusted proxy. Resolves when it is ready.
 * @param vault instead of the one that the settings say
 */
export async function startAuth(
  authUrl: string,
  settings: Settings = {},
  vault?: VaultBackend,
): Promise<RunningAuth> {
  const lines: LogLine[] = []
  const write = (level: string) => (detail: object, msg: string) => {
    lines.push({ ...detail, level, msg })
  }
  const log = {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
  }
  const config = readAuthConfig(environment(authUrl, settings), `test-${process.pid}`)
  const pool = openPool({ connectionString: config.databaseUrl, applicationName: 'test-auth', log })
  const { kms } = config
  const opened = kms && openVaultBackend({ ...config, kms }, log)
  const people = config.people && openPeopleBackend({ ...config, people: config.people }, log)
  const service = new AuthService({
    ...config,
    pool,
    vault: vault ?? opened,
    people,
    log,
    version: 'test',
    onLoaded: () => {},
  })
  const port = await service.start()
  await until(() => service.unready() === undefined)
  let stopped: Promise<void> | undefined
  const stop = async () => {
    await service.stop()
    await Promise.all([pool.end(), opened?.close(), people?.close()])
  }
  return {
    url: `http://127.0.0.1:${port}`,
    service,
    lines,
    metric: async (name, labels) => readMetric(await service.registry.metrics(), name, labels),
    stop: () => {
      stopped ??= stop()
      return stopped
    },
  }
}

/** Starts an auth service for one test, with which it ends, passed or not. */
export async function startAuthForTest(
  ...given: Parameters<typeof startAuth>
): Promise<RunningAuth> {
  const auth = await startAuth(...given)
  onTestFinished(() => auth.stop())
  return auth
}

/**
 * The settings of an auth service where people sign in, at a free port of this machine. Without CARDEA_SMTP_URL, mails wait
 * in their queue; without CARDEA_KMS, no access tokens are signed.
 */
export async function peoplesSettings(settings: Settings = {}): Promise<Settings> {
  const port = await freePort()
  return {
    CARDEA_LISTEN: `127.0.0.1:${port}`,
    CARDEA_PUBLIC_URL: `http://127.0.0.1:${port}`,
    CARDEA_SELF_SERVICE: 'true',
    ...settings,
  }
}

/** An auth service in a process of its own, to pause, stop and kill. */
export interface AuthProcess {
  readonly url: string
  readonly metricsUrl: string
  readonly child: ChildProcess
  readonly lines: readonly LogLine[]
  readonly errors: () => string
  ready(): Promise<void>
  /** Sends a signal and waits for the end. Answers the exit code. */
  end(signal: NodeJS.Signals): Promise<number | null>
}

const program = path.join(import.meta.dirname, '..', '..', 'src', 'main', 'auth.ts')

/** Starts `src/main/auth.ts`. Resolves when its health answers, whether or not it is ready. */
export async function spawnAuth(authUrl: string, settings: Settings = {}): Promise<AuthProcess> {
  const env = { PATH: process.env['PATH'] ?? '', ...environment(authUrl, settings) }
  const child = spawn(process.execPath, [program], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  if (child.pid !== undefined) leashProcess(child.pid, 'SIGKILL')
  const lines: LogLine[] = []
  let errors = ''
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString()
  })
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(JSON.parse(line) as LogLine)
  })
  const exited = once(child, 'exit').then(() => {
    if (child.pid !== undefined) unleashProcess(child.pid)
  })
  const started = await waitFor(() => {
    if (child.exitCode !== null) throw new Error(`it ended: ${errors}`)
    return lines.find(({ msg }) => msg === 'started')
  })
  const { port } = started['metrics'] as { port: number }
  const metricsUrl = `http://127.0.0.1:${port}`
  return {
    get url() {
      const listening = lines.find(({ msg }) => msg === 'listening')
      if (listening === undefined) throw new Error('it does not listen yet')
      return `http://127.0.0.1:${Number(listening['port'])}`
    },
    metricsUrl,
    child,
    lines,
    errors: () => errors,
    ready: () => until(async () => (await fetch(`${metricsUrl}/readyz`)).ok),
    async end(signal) {
      child.kill(signal)
      await exited
      return child.exitCode
    },
  }
}

/** An expectation that comes true in time. */
export function eventually<T>(find: () => T | Promise<T>) {
  return expect.poll(find, { timeout: 10_000, interval: 10 })
}

/** Waits until something holds; after 20 seconds that is an error. */
async function until(
  holds: () => boolean | Promise<boolean>,
  milliseconds = 20_000,
): Promise<void> {
  await waitFor(async () => ((await holds()) ? true : undefined), milliseconds)
}

async function waitFor<T>(
  find: () => T | undefined | Promise<T | undefined>,
  milliseconds = 20_000,
): Promise<T> {
  const deadline = performance.now() + milliseconds
  for (;;) {
    const found = await find()
    if (found !== undefined) return found
    if (performance.now() > deadline) throw new Error(`it did not come to pass: ${find.toString()}`)
    await sleep(10)
  }
}

function environment(authUrl: string, settings: Settings): Settings {
  return {
    CARDEA_DATABASE_URL: authUrl,
    CARDEA_LISTEN: '127.0.0.1:0',
    CARDEA_METRICS_LISTEN: '127.0.0.1:0',
    CARDEA_TRUSTED_PROXIES: '127.0.0.0/8',
    CARDEA_DRAIN_DELAY: '0s',
    ...settings,
  }
}

function readMetric(text: string, name: string, labels: Settings = {}): number {
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`)
  const values = text
    .split('\n')
    .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
    .filter((line) => wanted.every((label) => line.includes(label)))
    .map((line) => Number(line.slice(line.lastIndexOf(' ') + 1)))
  return values.reduce((sum, value) => sum + value, 0)
}
