import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SmallMap } from './smallmap.ts'

const ascending = (one: number, other: number) => one - other

test('it answers like a Map, small or large', () => {
  const step = fc.tuple(fc.constantFrom('set', 'set', 'delete'), fc.integer({ min: 0, max: 20 }))
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const map = new SmallMap<number>()
      const model = new Map<string, number>()
      for (const [position, [what, number]] of steps.entries()) {
        const key = `key-${number}`
        if (what === 'set') {
          map.set(key, position)
          model.set(key, position)
        } else {
          map.delete(key)
          model.delete(key)
        }
        expect(map.size).toBe(model.size)
      }
      expect([...map.values()].toSorted(ascending)).toEqual([...model.values()].toSorted(ascending))
      for (let number = 0; number <= 20; number++) {
        expect(map.get(`key-${number}`)).toBe(model.get(`key-${number}`))
      }
    }),
  )
})
