import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Schedule } from './schedule.ts'

const step = fc.oneof(
  fc.record({ do: fc.constant('set' as const), key: fc.nat(20), at: fc.nat(1000) }),
  fc.record({ do: fc.constant('delete' as const), key: fc.nat(20), at: fc.constant(0) }),
  fc.record({ do: fc.constant('take' as const), key: fc.constant(0), at: fc.nat(1000) }),
)

test('it behaves as a map of the earliest times does', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const schedule = new Schedule<number>()
      const model = new Map<string, number>()
      for (const { do: what, key, at } of steps) {
        const name = String(key)
        if (what === 'set') {
          schedule.set(name, at, at)
          model.set(name, Math.min(at, model.get(name) ?? at))
        } else if (what === 'delete') {
          schedule.delete(name)
          model.delete(name)
        } else {
          const taken = schedule.takeDue(at)
          const first = Math.min(...model.values())
          if (first > at) expect(taken).toBeUndefined()
          else {
            expect(taken?.at).toBe(first)
            expect(model.get(taken?.key ?? '')).toBe(first)
            model.delete(taken?.key ?? '')
          }
        }
        expect(schedule.size).toBe(model.size)
        expect(schedule.next()).toBe(model.size > 0 ? Math.min(...model.values()) : undefined)
      }
    }),
  )
})

test('a key that is set and cleared for ever leaves nothing behind', () => {
  const schedule = new Schedule<number>()
  const before = process.memoryUsage().heapUsed
  for (let i = 0; i < 1_000_000; i += 1) {
    schedule.set('busy', 1e9 + i, i)
    schedule.delete('busy')
  }
  expect(schedule.size).toBe(0)
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(64e6)
})
