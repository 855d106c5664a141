import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { readJson, writePrivate } from './keep.ts'
import type { KmsKind } from './kms.ts'
import { place } from './place.ts'
import { identify, isAlive, type ProcessIdentity } from './processes.ts'

/** What a running local system tells about itself. */
export interface Ready {
  /** The addresses, for people. */
  readonly addresses: string
  readonly authReplicas: number
  readonly context: string | undefined
  readonly kms: KmsKind
}

const GRACE_MS = 60_000
const SWEEP_GRACE_MS = 10_000

/** The supervisor of this checkout's local system, if one lives. */
export function findSupervisor(): ProcessIdentity | undefined {
  const holder = readJson<ProcessIdentity | undefined>(place.lock, undefined)
  return holder && isAlive(holder) ? holder : undefined
}

export function readReady(): Ready | undefined {
  return readJson<Ready | undefined>(place.ready, undefined)
}

/** Writes down a process of the system, so that it can be found if its supervisor is killed. */
export function recordProcess(name: string, pid: number): void {
  const known = readJson<Record<string, ProcessIdentity>>(place.processes, {})
  writePrivate(place.processes, JSON.stringify({ ...known, [name]: identify(pid) }, null, 2))
}

/** Asks the supervisor to end and waits until it has; kills it when it does not. */
export async function stopSupervisor(supervisor: ProcessIdentity): Promise<void> {
  process.kill(supervisor.pid, 'SIGTERM')
  if (await hasEnded([supervisor], GRACE_MS)) return
  process.kill(supervisor.pid, 'SIGKILL')
  await hasEnded([supervisor], SWEEP_GRACE_MS)
}

/** Ends what an earlier supervisor that was killed left running. Answers the names of what it found. */
export async function sweepProcesses(): Promise<readonly string[]> {
  const known = readJson<Record<string, ProcessIdentity>>(place.processes, {})
  const left = Object.entries(known).filter(([, identity]) => isAlive(identity))
  for (const [name, { pid }] of left) process.kill(pid, name === 'postgres' ? 'SIGINT' : 'SIGTERM')
  const identities = left.map(([, identity]) => identity)
  if (!(await hasEnded(identities, SWEEP_GRACE_MS))) {
    for (const { pid } of identities.filter(isAlive)) process.kill(pid, 'SIGKILL')
  }
  rmSync(place.processes, { force: true })
  rmSync(place.ready, { force: true })
  return left.map(([name]) => name)
}

async function hasEnded(processes: readonly ProcessIdentity[], withinMs: number): Promise<boolean> {
  const deadline = Date.now() + withinMs
  while (processes.some(isAlive)) {
    if (Date.now() > deadline) return false
    await sleep(50)
  }
  return true
}
