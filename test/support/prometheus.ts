import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { type Daemon, startDaemon, untilReady } from '../../hack/local/daemon.ts'
import { freePort } from '../../hack/local/port.ts'
import type { Loose } from './kube.ts'

/** A Prometheus of the test's own. */
export interface Prometheus {
  readonly daemon: Daemon
  /** The result of an instant query: each series with its labels and its value. */
  query(expression: string): Promise<readonly { metric: Record<string, string>; value: number }[]>
  /** The `data` of an answer of its HTTP API. */
  api(address: string): Promise<Loose>
}

/** Starts Debian's Prometheus on a configuration; its data are in the folder. */
export async function startPrometheus(directory: string, config: object): Promise<Prometheus> {
  const file = path.join(directory, 'prometheus.yaml')
  writeFileSync(file, JSON.stringify(config))
  const listen = `127.0.0.1:${await freePort()}`
  const daemon = startDaemon({
    name: 'prometheus',
    command: 'prometheus',
    args: [
      `--config.file=${file}`,
      `--storage.tsdb.path=${path.join(directory, 'prometheus')}`,
      `--web.listen-address=${listen}`,
    ],
    logFile: path.join(directory, 'prometheus.log'),
  })
  const api = async (address: string): Promise<Loose> => {
    const answer = (await (await fetch(`http://${listen}/api/v1/${address}`)).json()) as Loose
    if (answer.status !== 'success') throw new Error(`${address}: ${answer.error}`)
    return answer.data
  }
  await untilReady(daemon, async () => (await fetch(`http://${listen}/-/ready`)).ok)
  return {
    daemon,
    api,
    async query(expression) {
      const { result } = await api(`query?query=${encodeURIComponent(expression)}`)
      return result.map(({ metric, value }: Loose) => ({ metric, value: Number(value[1]) }))
    },
  }
}

/** What promtool complains about in these metrics; empty when it accepts them. */
export function checkMetrics(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const promtool = spawn('promtool', ['check', 'metrics'])
    let said = ''
    for (const stream of [promtool.stdout, promtool.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        said += chunk.toString()
      })
    }
    promtool.once('error', reject)
    promtool.once('close', (code) => resolve(code === 0 ? said : `${said}exit code ${code}`))
    promtool.stdin.end(text)
  })
}
