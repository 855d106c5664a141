import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { startDaemon, untilReady } from '../../hack/local/daemon.ts'
import { freePort } from '../../hack/local/port.ts'
import { selfSigned } from './certificate.ts'

export interface RunningNginx {
  readonly port: number
  stop(): Promise<void>
}

/**
 * Starts Debian's nginx with the inside of its `http` block.
 * @param replaced what of it is another on this machine; `listen`, and the certificate, are put in here
 */
export async function startNginx(
  http: string,
  host: string,
  replaced: Readonly<Record<string, string>>,
): Promise<RunningNginx> {
  const directory = mkdtempSync(path.join(tmpdir(), 'cardea-nginx-'))
  const port = await freePort()
  const { cert, key } = selfSigned([host])
  writeFileSync(path.join(directory, 'tls.crt'), cert)
  writeFileSync(path.join(directory, 'tls.key'), key, { mode: 0o600 })
  const changes = {
    '/etc/nginx/tls/': `${directory}/`,
    'listen 443 ssl': `listen 127.0.0.1:${port} ssl`,
    ...replaced,
  }
  let block = http
  for (const [from, to] of Object.entries(changes)) {
    if (!block.includes(from)) throw new Error(`the configuration has no ${from}`)
    block = block.replaceAll(from, to)
  }
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((what) => `${what}_temp_path ${directory}/${what};`)
    .join('\n')
  const file = path.join(directory, 'nginx.conf')
  writeFileSync(
    file,
    `daemon off; master_process off; pid ${directory}/pid; error_log stderr;
events {}
http { access_log off; ${temporary}
${block}
}`,
  )
  const daemon = startDaemon({
    name: 'nginx',
    command: 'nginx',
    args: ['-p', directory, '-c', file, '-e', 'stderr'],
    logFile: path.join(directory, 'nginx.log'),
  })
  await untilReady(daemon, () => listens(port), 15_000)
  return {
    port,
    async stop() {
      await daemon.stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}
