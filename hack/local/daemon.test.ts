import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { startDaemon, untilReady } from './daemon.ts'
import { identify, isAlive } from './processes.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'cardea-daemon-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const logFile = path.join(folder, 'daemon.log')
const shell = (script: string) => ({
  name: 'sh',
  command: 'sh',
  args: ['-c', script],
  logFile,
})

test('a daemon that ignores its signal is killed after its grace', async () => {
  const daemon = startDaemon({ ...shell("trap '' TERM; sleep 60"), graceMs: 200 })
  const identity = identify(daemon.pid)
  await daemon.stop()
  expect(isAlive(identity)).toBe(false)
})

test('a daemon that is kept alive comes back as another process, and not after it was stopped', async () => {
  const daemon = startDaemon({ ...shell('sleep 60'), keepAlive: true })
  const first = daemon.pid
  daemon.signal('SIGKILL')
  await vi.waitFor(() => expect(daemon.pid).not.toBe(first), { timeout: 5_000 })
  const second = identify(daemon.pid)
  await daemon.stop()
  expect(isAlive(second)).toBe(false)
})

test('waiting for a daemon that ends tells how, with the end of its log', async () => {
  const daemon = startDaemon(shell('echo no such database; exit 3'))
  await expect(untilReady(daemon, async () => false)).rejects.toThrow(
    /sh exited with 3.*no such database/s,
  )
})

test('a daemon and its folder do not outlive a parent that is killed', async () => {
  const left = path.join(folder, 'left behind')
  const script = path.join(folder, 'parent.ts')
  const here = JSON.stringify(import.meta.dirname)
  writeFileSync(
    script,
    `const { startDaemon } = await import(${here} + '/daemon.ts')
     const { leashDirectory } = await import(${here} + '/leash.ts')
     const { mkdirSync } = await import('node:fs')
     mkdirSync(${JSON.stringify(left)})
     leashDirectory(${JSON.stringify(left)})
     const daemon = startDaemon({ name: 'sleep', command: 'sleep', args: ['60'], logFile: ${JSON.stringify(logFile)} })
     console.log(daemon.pid)
     setInterval(() => {}, 1000)`,
  )
  const parent = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const pid = await new Promise<number>((resolve) =>
    parent.stdout.once('data', (chunk: Buffer) => resolve(Number(chunk.toString()))),
  )
  const daemon = identify(pid)
  expect(isAlive(daemon)).toBe(true)
  parent.kill('SIGKILL')
  await vi.waitFor(() => expect(isAlive(daemon)).toBe(false), { timeout: 5_000 })
  await vi.waitFor(() => expect(() => readFileSync(left)).toThrow(/ENOENT/), { timeout: 5_000 })
})
