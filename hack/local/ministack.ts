import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { type Daemon, startDaemon, untilReady } from './daemon.ts'
import { leashDirectory } from './leash.ts'
import { freePort } from './port.ts'
import { type Progress } from './progress.ts'
import { ensurePythonPackages } from './pypi.ts'

export interface KeyServerOptions {
  /** The port to serve on where it is free. */
  readonly port?: number
  /** Keep the data, and restart what ends unasked. Otherwise everything is throwaway. */
  readonly durable?: boolean
  readonly logFile?: string
  readonly onStart?: (name: string, pid: number) => void
  readonly onExit?: (name: string, how: string) => void
}

/** An emulator of AWS that runs. Its KMS encrypts nothing in earnest: it is for development and tests. */
export interface Ministack {
  readonly url: string
  readonly port: number
  /** It writes its data when it ends, and only then; started again, it goes on with them on the same port. */
  restart(): Promise<void>
  stop(): Promise<void>
}

/** The emulator's own root, who may do everything. Everybody else needs a policy. */
export const ministackRoot = { accessKeyId: 'test', secretAccessKey: 'test' } as const

/**
 * Starts ministack from PyPI on a loopback port, with its data in `directory`, which another start takes up. Who may do
 * what is decided as AWS does, by IAM policies and signatures.
 *
 * @throws with the end of the log when it does not come up; nothing is left running then.
 */
export async function startMinistack(
  directory: string,
  progress: Progress,
  options: KeyServerOptions = {},
): Promise<Ministack> {
  const programs = await ensurePythonPackages('ministack', progress)
  const { durable = false, onStart, onExit } = options
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  if (!durable) leashDirectory(directory)
  const port = await freePort(options.port)
  const url = `http://127.0.0.1:${port}`
  const launch = async (): Promise<Daemon> => {
    const daemon = startDaemon({
      name: 'ministack',
      command: path.join(programs, 'python'),
      args: ['-m', 'hypercorn', 'ministack.app:app', '--bind', `127.0.0.1:${port}`],
      cwd: directory,
      env: environment(directory),
      logFile: options.logFile ?? path.join(directory, 'ministack.log'),
      stopSignal: durable ? 'SIGTERM' : 'SIGKILL',
      keepAlive: durable,
      ...(onStart && { onStart: (pid: number) => onStart('ministack', pid) }),
      ...(onExit && { onExit: (how: string) => onExit('ministack', how) }),
    })
    try {
      await untilReady(daemon, async () => (await fetch(`${url}/_ministack/ready`)).ok, 60_000)
    } catch (error) {
      await daemon.stop()
      throw error
    }
    return daemon
  }
  let daemon = await launch()
  return {
    url,
    port,
    async restart() {
      await daemon.stop('SIGTERM')
      daemon = await launch()
    },
    stop: () => daemon.stop(),
  }
}

function environment(directory: string): NodeJS.ProcessEnv {
  return {
    PATH: process.env['PATH'],
    HOME: directory,
    AUTH: 'true',
    AWS_ACCESS_KEY_ID: ministackRoot.accessKeyId,
    AWS_SECRET_ACCESS_KEY: ministackRoot.secretAccessKey,
    PERSIST_STATE: '1',
    STATE_DIR: path.join(directory, 'state'),
    IOT_MTLS_ENABLED: '0',
    SFTP_ENABLED: '0',
  }
}
