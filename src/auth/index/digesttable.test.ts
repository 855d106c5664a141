import { createHash, hash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DigestTable } from './digesttable.ts'

const digest = (text: string) => hash('sha256', text, 'latin1')

test('it answers like a Map, whatever is put in and taken out', () => {
  const step = fc.tuple(fc.constantFrom('set', 'delete'), fc.integer({ min: 0, max: 60 }))
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
      const table = new DigestTable<number>()
      const model = new Map<string, number>()
      const slots = new Map<string, number>()
      for (const [position, [what, key]] of steps.entries()) {
        const at = digest(`key ${key}`)
        if (what === 'set') {
          slots.set(at, table.set(at, position))
          model.set(at, position)
        } else {
          const value = model.get(at) ?? -1
          expect(table.delete(slots.get(at) ?? 0, value)).toBe(model.delete(at))
        }
      }
      expect(table.size).toBe(model.size)
      for (let key = 0; key <= 60; key++) {
        const at = digest(`key ${key}`)
        expect(table.get(at)).toBe(model.get(at))
      }
    }),
  )
})

test('it grows, shrinks and grows again without losing anybody', () => {
  const table = new DigestTable<number>()
  const slots = Array.from({ length: 20_000 }, (_, key) => table.set(digest(`${key}`), key))
  for (let key = 0; key < 20_000; key += 2) {
    expect(table.delete(slots[key] as number, key)).toBe(true)
  }
  for (let key = 20_000; key < 30_000; key++) table.set(digest(`${key}`), key)
  expect(table.size).toBe(20_000)
  expect(table.slots).toBe(20_000)
  for (let key = 0; key < 30_000; key++) {
    const kept = key % 2 === 1 || key >= 20_000
    expect(table.get(digest(`${key}`))).toBe(kept ? key : undefined)
  }
})

test('a digest that passed to another value is not removed by the former one', () => {
  const table = new DigestTable<string>()
  const slot = table.set(digest('key'), 'former')
  table.set(digest('key'), 'present')
  expect(table.delete(slot, 'former')).toBe(false)
  expect(table.get(digest('key'))).toBe('present')
})

test('digests that somebody chose do not fall into one place', () => {
  const table = new DigestTable<number>()
  const chosen = Array.from({ length: 4096 }, (_, key) => {
    const bytes = Buffer.alloc(32)
    bytes.writeUInt16BE(key, 3)
    return bytes.toString('latin1')
  })
  for (const [key, at] of chosen.entries()) table.set(at, key)
  const started = performance.now()
  for (let round = 0; round < 20; round++) for (const at of chosen) table.get(at)
  // One chain of 4,096 would take some 80 million steps an entry of this loop.
  expect(performance.now() - started).toBeLessThan(1000)
})

test('a digest in another spelling is refused', () => {
  const hex = createHash('sha256').update('key').digest('hex')
  expect(() => new DigestTable().get(hex)).toThrow(RangeError)
})
