import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { leashProcess, unleashProcess } from './leash.ts'

export interface DaemonOptions {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
  readonly uid?: number
  readonly gid?: number
  /** stdout and stderr are appended here. */
  readonly logFile: string
  /** What asks the process to end. */
  readonly stopSignal?: NodeJS.Signals
  /** How long it may take over that before it is killed. */
  readonly graceMs?: number
  /** Start it again, with growing pauses, when it ends unasked: what a kubelet would do. */
  readonly keepAlive?: boolean
  readonly onStart?: (pid: number) => void
  readonly onExit?: (how: string) => void
}

/** A process of the local system that runs until it is stopped, and never outlives this one. */
export interface Daemon {
  readonly name: string
  /** The number of the process that runs now; with `keepAlive` it changes over time. */
  readonly pid: number
  /** How the process ended, or undefined while it runs. */
  readonly ended: string | undefined
  readonly logFile: string
  /** Asks it to end, waits, and kills it if need be. Stopping twice is harmless. */
  stop(signal?: NodeJS.Signals): Promise<void>
  /** Sends a signal and waits for nothing. */
  signal(signal: NodeJS.Signals): void
}

const LONGEST_PAUSE_MS = 15_000
const STABLE_AFTER_MS = 60_000

const started: Daemon[] = []
let closing = false

/**
 * Stops every daemon that this process has started, the youngest first, so that each part ends before those that it
 * uses; from then on none can be started.
 */
export async function stopDaemons(): Promise<void> {
  closing = true
  for (const daemon of started.toReversed()) await daemon.stop()
}

/** @throws once `stopDaemons` was called. */
export function startDaemon(options: DaemonOptions): Daemon {
  if (closing) throw new Error(`${options.name} is not started: everything is being stopped`)
  mkdirSync(path.dirname(options.logFile), { recursive: true })
  let pauseMs = 500
  let stopping = false
  let ended: string | undefined
  let running = spawnDetached(options)
  watch()

  function watch(): void {
    const startedAt = Date.now()
    const child = running
    ended = undefined
    const finish = (how: string): void => {
      ended = how
      if (child.pid !== undefined) unleashProcess(child.pid)
      if (stopping) return
      options.onExit?.(how)
      if (options.keepAlive) {
        if (Date.now() - startedAt > STABLE_AFTER_MS) pauseMs = 500
        setTimeout(relaunch, pauseMs)
        pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)
      }
    }
    child.once('error', (error) => finish(`could not be started: ${error.message}`))
    child.once('exit', (code, signal) =>
      finish(signal ? `was ended by ${signal}` : `exited with ${code}`),
    )
    if (child.pid !== undefined) options.onStart?.(child.pid)
  }

  function relaunch(): void {
    if (stopping) return
    running = spawnDetached(options)
    watch()
  }

  const isRunning = (): boolean => ended === undefined

  const daemon: Daemon = {
    name: options.name,
    logFile: options.logFile,
    get pid() {
      return running.pid ?? -1
    },
    get ended() {
      return ended
    },
    signal(signal) {
      running.kill(signal)
    },
    async stop(signal = options.stopSignal ?? 'SIGTERM') {
      stopping = true
      running.kill(signal)
      // A paused process would only see the request once it is woken.
      running.kill('SIGCONT')
      const killAt = Date.now() + (options.graceMs ?? 15_000)
      while (isRunning()) {
        if (Date.now() > killAt) running.kill('SIGKILL')
        await sleep(20)
      }
    },
  }
  started.push(daemon)
  return daemon
}

function spawnDetached(options: DaemonOptions): ChildProcess {
  const log = openSync(options.logFile, 'a', 0o600)
  try {
    const child = spawn(options.command, options.args, {
      // A session of its own: Ctrl-C reaches only this process, which then stops things in their order.
      detached: true,
      stdio: ['ignore', log, log],
      ...(options.env && { env: options.env }),
      ...(options.cwd && { cwd: options.cwd }),
      ...(options.uid !== undefined && { uid: options.uid }),
      ...(options.gid !== undefined && { gid: options.gid }),
    })
    if (child.pid !== undefined) leashProcess(child.pid, options.stopSignal ?? 'SIGTERM')
    return child
  } finally {
    closeSync(log)
  }
}

/**
 * Waits until `ready` answers true.
 *
 * @throws when the daemon ends first, or when it takes longer than `timeoutMs`; the message ends with the log's last lines.
 */
export async function untilReady(
  daemon: Daemon,
  ready: () => Promise<boolean>,
  timeoutMs = 120_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    if (await ready().catch(() => false)) return
    if (daemon.ended !== undefined) throw new Error(failure(daemon, daemon.ended))
    if (Date.now() > deadline)
      throw new Error(failure(daemon, `was not ready after ${timeoutMs / 1000} s`))
    await sleep(100)
  }
}

function failure(daemon: Daemon, how: string): string {
  const log = readFileSync(daemon.logFile, 'utf8').trimEnd().split('\n').slice(-15).join('\n')
  return `${daemon.name} ${how}. The end of ${daemon.logFile}:\n${log}`
}
