import { expect, test } from 'vitest'
import { secondsOf } from './duration.ts'

test.each([
  ['90d', 7_776_000],
  ['24h', 86_400],
  ['1m', 60],
  ['0s', 0],
  ['1d2h3m4s', 93_784],
  ['30m1h', 5_400],
])('%s is %i seconds', (text, seconds) => {
  expect(secondsOf(text)).toBe(seconds)
})

test.each(['', '90', 'd', '1.5h', '-1h', '1w', '1 d', 'PT1H', '1H', '1234567890s', '1d\n'])(
  '%j is no duration',
  (text) => {
    expect(secondsOf(text)).toBeUndefined()
  },
)
