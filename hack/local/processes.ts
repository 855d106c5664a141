import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** A process that can be recognised later: numbers are used again, above all after a reboot. */
export interface ProcessIdentity {
  readonly pid: number
  readonly startedAt: string
}

/** The identity of a process that runs now. */
export function identify(pid: number): ProcessIdentity {
  return { pid, startedAt: startOf(pid) ?? 'unknown' }
}

/** Whether this very process, not a later one with its number, still runs. */
export function isAlive(identity: ProcessIdentity): boolean {
  return startOf(identity.pid) === identity.startedAt
}

function startOf(pid: number): string | undefined {
  try {
    if (process.platform !== 'linux') {
      return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim()
    }
    // proc(5): after the command's closing parenthesis field 3 is the state, field 22 the start time in ticks since boot.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    if (fields[0] === 'Z') return undefined
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    return `${boot} ${fields[19]}`
  } catch {
    return undefined
  }
}
