import { spawn } from 'node:child_process'
import path from 'node:path'
import type { Writable } from 'node:stream'

let leash: Writable | undefined

/** Sees to it that a process ends when this one does, even by SIGKILL. `signal` is what asks it to end. */
export function leashProcess(pid: number, signal: NodeJS.Signals): void {
  write(`+ ${pid} ${signal.slice(3)}`)
}

/** Forgets a process that has ended, so that a later one with its number is never touched. */
export function unleashProcess(pid: number): void {
  write(`- ${pid}`)
}

/** Sees to it that a temporary directory is gone when this process is. */
export function leashDirectory(directory: string): void {
  if (directory.includes('\n'))
    throw new Error(`${JSON.stringify(directory)} cannot be named in a line`)
  write(`rm ${directory}`)
}

function write(line: string): void {
  leash ??= open()
  leash.write(`${line}\n`)
}

function open(): Writable {
  const script = path.join(import.meta.dirname, 'leash.sh')
  // A session of its own: Ctrl-C in the terminal must not reach the one that cleans up afterwards.
  const reaper = spawn('bash', [script], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  reaper.unref()
  const { stdin } = reaper
  if ('unref' in stdin && typeof stdin.unref === 'function') stdin.unref()
  return stdin
}
