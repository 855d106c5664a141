import { expect, test } from 'vitest'
import { outagePause, retryDelay } from './mailretry.ts'

test.each([
  [1, 15],
  [2, 30],
  [5, 240],
  [9, 3600],
  [24, 3600],
])('a mail that was put off %i times waits for %i seconds', (attempts, seconds) => {
  expect(retryDelay(attempts, 0.5)).toBe(seconds)
})

test('those that were put off together come again a quarter sooner or later', () => {
  expect([retryDelay(1, 0), retryDelay(1, 1)]).toEqual([11.25, 18.75])
})

test('a mail is put off twenty-four times and no more', () => {
  expect(retryDelay(25, 0.5)).toBeUndefined()
})

test('an outage is looked at again after one second, then ever later, and at least each twelve', () => {
  expect([1, 2, 3, 4, 50].map((failures) => outagePause(failures, 0.5))).toEqual([
    1000, 2000, 4000, 8000, 10_000,
  ])
  expect(outagePause(50, 1)).toBe(12_500)
})
