import fc from 'fast-check'
import { expect, test } from 'vitest'
import { includes, isSuccessor } from './position.ts'

test.each([
  ['itself', '100:105:101,103', '100:105:101,103', true],
  ['an earlier one', '104:110:', '100:105:101,103', true],
  ['an earlier one, with the slow transaction still running', '101:110:101', '100:105:101', true],
  ['not a later one', '100:105:', '104:110:', false],
  ['not one in which more was done', '101:105:101,103', '103:105:103', false],
  ['one of another length', '100:100:', '99:99:', true],
  ['what began after it may be running', '107:110:107', '100:105:', true],
])('a snapshot includes %s', (_, snapshot, other, answer) => {
  expect(includes(snapshot, other)).toBe(answer)
})

test('a later snapshot includes each earlier one, and an earlier one lacks what was committed since', () => {
  /** A server on which transactions begin, and end in any order. */
  const steps = fc.array(fc.option(fc.nat({ max: 9 })), { maxLength: 60 })
  fc.assert(
    fc.property(steps, (script) => {
      let next = 1000
      let running: number[] = []
      let latest = 999
      const seen = (xid: number, [limit, list]: readonly [number, readonly number[]]) =>
        xid < limit && !list.includes(xid)
      const snapshots: { text: string; state: readonly [number, readonly number[]] }[] = []
      for (const step of script) {
        const done = step === null ? undefined : running[step]
        if (done === undefined) running.push(next++)
        else {
          running = running.filter((xid) => xid !== done)
          latest = Math.max(latest, done)
        }
        const list = running.filter((xid) => xid <= latest)
        const text = `${list[0] ?? latest + 1}:${latest + 1}:${list.join(',')}`
        snapshots.push({ text, state: [latest + 1, list] })
      }
      const xids = Array.from({ length: next - 1000 }, (_, at) => 1000 + at)
      for (const [at, late] of snapshots.entries()) {
        for (const early of snapshots.slice(0, at)) {
          expect(includes(late.text, early.text)).toBe(true)
          const same = xids.every((xid) => seen(xid, late.state) === seen(xid, early.state))
          expect(includes(early.text, late.text)).toBe(same)
        }
      }
    }),
    { numRuns: 50 },
  )
})

test.each([
  ['a promotion', '1/5/00000002', '1/5/00000001', true],
  ['a later promotion', '1/5/00000010', '1/5/0000000F', true],
  ['not the same', '1/5/00000001', '1/5/00000001', false],
  ['not the old primary', '1/5/00000001', '1/5/00000002', false],
  ['not a standby', '1/5/standby', '1/5/00000001', false],
  ['not another database', '1/6/00000002', '1/5/00000001', false],
  ['not another system', '2/5/00000002', '1/5/00000001', false],
])('%s makes a successor', (_, server, former, answer) => {
  expect(isSuccessor(server, former)).toBe(answer)
})
