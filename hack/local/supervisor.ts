// The process that the local system hangs on. `hack/up` starts it, watches it start, and stays with it or leaves it.
import { rmSync } from 'node:fs'
import { stopDaemons } from './daemon.ts'
import { writePrivate } from './keep.ts'
import { claimLock } from './lock.ts'
import type { Message } from './message.ts'
import { place } from './place.ts'
import { forwardProgress } from './progress.ts'
import { type Ready, sweepProcesses } from './running.ts'
import { summarise } from './summary.ts'
import { type SystemOptions, startSystem } from './system.ts'

export interface SupervisorOptions extends SystemOptions {
  /** Whether it goes on when the command that started it has left. */
  readonly detach: boolean
}

const options: SupervisorOptions = JSON.parse(process.argv[2] ?? '{}')
let ready = false
let stopping = false

function tell(message: Message): void {
  if (message.kind === 'progress' && message.event.kind === 'say') console.log(message.event.text)
  if (process.connected) process.send?.(message)
}

async function stop(exitCode: number): Promise<void> {
  if (stopping) return
  stopping = true
  rmSync(place.ready, { force: true })
  await stopDaemons()
  rmSync(place.processes, { force: true })
  rmSync(place.lock, { force: true })
  process.exit(exitCode)
}

async function start(): Promise<void> {
  await sweepProcesses()
  const system = await startSystem(
    options,
    forwardProgress((event) => tell({ kind: 'progress', event })),
  )
  const addresses = summarise(system)
  const { authReplicas, context, kms } = options
  const told: Ready = { addresses, authReplicas, context, kms }
  writePrivate(place.ready, JSON.stringify(told))
  ready = true
  tell({ kind: 'ready', addresses })
}

function run(): void {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(signal, () => void stop(0))
  }
  process.on('disconnect', () => {
    if (!ready || !options.detach) void stop(0)
  })
  start().catch(async (error: unknown) => {
    // What was stopped in the middle of its start fails, too; nobody needs to hear of that.
    if (stopping) return
    tell({ kind: 'failed', why: error instanceof Error ? error.message : String(error) })
    await stop(1)
  })
}

if (claimLock(place.lock)) {
  run()
} else {
  tell({ kind: 'failed', why: 'Another ./hack/up is at work in this checkout.' })
  process.exitCode = 1
  process.disconnect?.()
}
