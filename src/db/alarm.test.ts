import { expect, test, vi } from 'vitest'
import { Alarm } from './alarm.ts'

test('a sleeper wakes when it rings', async () => {
  const alarm = new Alarm()
  const slept = alarm.sleep(60_000)
  alarm.ring()
  await slept
})

test('who was called while awake does not fall asleep', async () => {
  const alarm = new Alarm()
  alarm.ring()
  await alarm.sleep(60_000)
})

test('a call that was answered is forgotten', async () => {
  vi.useFakeTimers()
  const alarm = new Alarm()
  alarm.ring()
  alarm.hush()
  let awake = false
  const slept = alarm.sleep(1000).then(() => {
    awake = true
  })
  await vi.advanceTimersByTimeAsync(999)
  expect(awake).toBe(false)
  await vi.advanceTimersByTimeAsync(1)
  await slept
  vi.useRealTimers()
})
