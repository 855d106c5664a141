import { expect, test } from 'vitest'
import { MemoryWindows } from './window.ts'

test('a window begins with its first count, and the next one when it is over', async () => {
  let now = 1000
  const windows = new MemoryWindows(10, () => now)
  expect(await windows.add('a', 60_000)).toEqual({ count: 1, rest: 60_000 })
  now += 59_999
  expect(await windows.add('a', 60_000)).toEqual({ count: 2, rest: 1 })
  now += 1
  expect(await windows.add('a', 60_000)).toEqual({ count: 1, rest: 60_000 })
})

test('each key has a window of its own', async () => {
  const windows = new MemoryWindows(10, () => 0)
  await windows.add('a', 1000)
  expect(await windows.add('b', 1000)).toEqual({ count: 1, rest: 1000 })
})

test('it keeps so many windows and no more: those that were counted last', async () => {
  const windows = new MemoryWindows(2, () => 0)
  await windows.add('a', 1000)
  await windows.add('b', 1000)
  await windows.add('a', 1000)
  await windows.add('c', 1000)
  expect((await windows.add('a', 1000)).count).toBe(3)
  expect((await windows.add('b', 1000)).count).toBe(1)
})
