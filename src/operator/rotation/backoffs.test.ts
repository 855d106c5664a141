import { expect, test } from 'vitest'
import { ManualClock } from '../../../test/support/manualclock.ts'
import { BackOffs } from './backoffs.ts'

function backOffsOf() {
  const clock = new ManualClock()
  // The whole of each back-off.
  const options = { clock, random: () => 1, again: { base: 10_000, max: 30_000 } }
  return { clock, backOffs: new BackOffs<string | null>(options) }
}

test('what fails is left alone, ever longer, and the others are not', async () => {
  const { clock, backOffs } = backOffsOf()
  for (const wait of [10_000, 20_000, 30_000, 30_000]) {
    expect(backOffs.failed('a').getTime()).toBe(clock.now() + wait)
    expect(backOffs.next()).toBe(clock.now() + wait)
    expect([backOffs.isLeftAlone('a'), backOffs.isLeftAlone(null)]).toEqual([true, false])
    await clock.advance(wait)
    expect(backOffs.isLeftAlone('a')).toBe(false)
  }
})

test('what failed a moment ago is not forgiven by the end of that run', async () => {
  const { clock, backOffs } = backOffsOf()
  for (const wait of [10_000, 20_000]) {
    backOffs.failed('a')
    backOffs.served(['a'])
    expect(backOffs.next()).toBe(clock.now() + wait)
    await clock.advance(wait)
  }
})

test('what serves again is forgiven, and what nobody has is forgotten', async () => {
  const { clock, backOffs } = backOffsOf()
  backOffs.failed('a')
  backOffs.failed(null)
  await clock.advance(10_000)
  backOffs.served(['a'])
  expect(backOffs.next()).toBe(clock.now())
  backOffs.keep(new Set(['a']))
  expect(backOffs.next()).toBe(Number.POSITIVE_INFINITY)
})
