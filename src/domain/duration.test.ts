import { expect, test } from 'vitest'
import { readDuration } from './duration.ts'

test.each([
  ['90d', 7_776_000_000],
  ['24h', 86_400_000],
  ['1m', 60_000],
  ['30s', 30_000],
  ['1h30m', 5_400_000],
  ['0s', 0],
])('%s', (text, milliseconds) => {
  expect(readDuration(text)).toBe(milliseconds)
})

test.each(['', '1', 'd', '1.5h', '-1h', '1 h', '1H', '1w', '9999999999d'])(
  '%j is no duration',
  (text) => {
    expect(readDuration(text)).toBeUndefined()
  },
)
