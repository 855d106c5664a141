import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { startDaemon, untilReady } from '../../hack/local/daemon.ts'
import { freePort } from '../../hack/local/port.ts'
import type { Certificate } from './certificate.ts'

/** A Redis of the test's own. */
export interface RunningRedis {
  readonly url: string
  /** Has it keep its connections, and answer nothing. */
  freeze(): void
  thaw(): void
  /** Ends it; its port stays its own. */
  stop(): Promise<void>
  /** Starts it again, empty. */
  start(): Promise<void>
  /** Ends it and forgets it. */
  close(): Promise<void>
}

const password = 'p4ssw0rd'

/** Starts Debian's redis-server. @param certificate by which it speaks TLS, and nothing else */
export async function startRedis(certificate?: Certificate): Promise<RunningRedis> {
  const directory = mkdtempSync(path.join(tmpdir(), 'cardea-redis-'))
  const port = await freePort()
  const listen = certificate ? tlsArguments(directory, port, certificate) : ['--port', `${port}`]
  const launch = async () => {
    const daemon = startDaemon({
      name: 'redis',
      command: 'redis-server',
      args: [
        '--bind',
        '127.0.0.1',
        ...listen,
        '--requirepass',
        password,
        '--save',
        '',
        '--dir',
        directory,
      ],
      logFile: path.join(directory, 'redis.log'),
    })
    await untilReady(daemon, () => listens(port))
    return daemon
  }
  let daemon = await launch()
  return {
    url: `${certificate ? 'rediss' : 'redis'}://:${password}@127.0.0.1:${port}/0`,
    freeze: () => daemon.signal('SIGSTOP'),
    thaw: () => daemon.signal('SIGCONT'),
    stop: () => daemon.stop(),
    async start() {
      daemon = await launch()
    },
    async close() {
      daemon.signal('SIGCONT')
      await daemon.stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

function tlsArguments(directory: string, port: number, { cert, key }: Certificate) {
  const [certFile, keyFile] = [path.join(directory, 'cert.pem'), path.join(directory, 'key.pem')]
  writeFileSync(certFile, cert)
  writeFileSync(keyFile, key)
  return [
    ['--port', '0'],
    ['--tls-port', `${port}`],
    ['--tls-cert-file', certFile],
    ['--tls-key-file', keyFile],
    ['--tls-ca-cert-file', certFile],
    ['--tls-auth-clients', 'no'],
  ].flat()
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, '127.0.0.1')
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
    socket.once('close', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
