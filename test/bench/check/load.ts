import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import { cpuSeconds } from '../../support/program.ts'

/** What is asked of a server, and how many ask at once. */
export interface Target {
  readonly name: string
  readonly url: string
  readonly pid: number
  readonly connections: number
  /** A file with a credential a line, and the path to ask for; left out for a server that looks at neither. */
  readonly keys?: string
  /** What stands before each of them; by default the header of API keys. */
  readonly header?: string
  readonly path?: string
  /** Whether all answers are to be errors. */
  readonly denied?: boolean
}

export interface Run {
  readonly rate: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  /** CPU-seconds of the server for 10,000 requests. */
  readonly cpu: number
  /** Answers that were not what they should be. */
  readonly wrong: number
}

const script = path.join(import.meta.dirname, 'requests.lua')
const run = promisify(execFile)

/** Loads a server for some seconds with wrk, as fast as it answers. */
export async function load(target: Target, seconds: number): Promise<Run> {
  const args = ['--threads=1', `--connections=${target.connections}`, `--duration=${seconds}s`]
  args.push('--latency', ...(target.keys ? ['--script', script] : []), target.url)
  const env = {
    ...process.env,
    BENCH_KEYS: target.keys ?? '',
    BENCH_PATH: target.path ?? '/',
    BENCH_HEADER: target.header ?? 'X-API-Key: ',
    // Another place each time: nothing must be remembered from the run before.
    BENCH_START: String(Math.floor(Math.random() * 1e6)),
  }
  const before = cpuSeconds(target.pid)
  const { stdout } = await run('wrk', args, { env })
  const used = cpuSeconds(target.pid) - before
  const requests = number(stdout, /(\d+) requests in/)
  const refused = number(stdout, /Non-2xx or 3xx responses: (\d+)/)
  return {
    rate: number(stdout, /Requests\/sec:\s+([\d.]+)/),
    p50: duration(stdout, /50%\s+([\d.]+)(us|ms|s)/),
    p99: duration(stdout, /99%\s+([\d.]+)(us|ms|s)/),
    cpu: (used / requests) * 10_000,
    wrong: target.denied ? requests - refused : refused,
  }
}

function number(text: string, pattern: RegExp): number {
  return Number(pattern.exec(text)?.[1] ?? 0)
}

function duration(text: string, pattern: RegExp): number {
  const [, amount, unit] = pattern.exec(text) ?? []
  return Number(amount) * (unit === 'us' ? 0.001 : unit === 's' ? 1000 : 1)
}
