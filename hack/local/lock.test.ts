import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { claimLock, holdingLock } from './lock.ts'
import { identify } from './processes.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'cardea-lock-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('a lock of a process that lives is not to be had', () => {
  const lock = path.join(folder, 'held')
  const other = spawn('sleep', ['60'])
  writeFileSync(lock, JSON.stringify(identify(other.pid ?? -1)))
  expect(claimLock(lock)).toBe(false)
  other.kill('SIGKILL')
})

test.each([
  ['a process that has ended', { pid: 999_999_999, startedAt: 'once' }],
  ['a process whose number another one has now', { pid: process.pid, startedAt: 'once' }],
])('a lock of %s is taken over', (_, holder) => {
  const lock = path.join(folder, 'stale')
  writeFileSync(lock, JSON.stringify(holder))
  expect(claimLock(lock)).toBe(true)
  rmSync(lock)
})

test('work that waits for the lock starts when it is free, and is told once that it waits', async () => {
  const lock = path.join(folder, 'shared')
  const order: string[] = []
  const work = (name: string) =>
    holdingLock(
      lock,
      () => order.push(`${name} waits`),
      async () => {
        order.push(`${name} begins`)
        await new Promise((resolve) => setTimeout(resolve, 50))
        order.push(`${name} ends`)
      },
    )
  await Promise.all([work('one'), work('two')])
  expect(order).toEqual(['one begins', 'two waits', 'one ends', 'two begins', 'two ends'])
  expect(existsSync(lock)).toBe(false)
})
