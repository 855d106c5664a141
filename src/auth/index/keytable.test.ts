import { hash } from 'node:crypto'
import { expect, test } from 'vitest'
import { KeyTable } from './keytable.ts'

const keyOf = (n: number) => hash('sha256', `key ${n}`, 'latin1').slice(0, 16)

test('keys are found, read and taken out, also after the table has grown to many', () => {
  const table = new KeyTable(16)
  const count = 70_000
  for (let n = 0; n < count; n++) table.add(keyOf(n), n)
  for (let n = 0; n < count; n += 2) table.delete(n)
  expect(table.size).toBe(count / 2)
  const bytes = new Uint8Array(16)
  for (let n = 0; n < count; n += 1001) {
    expect(table.find(keyOf(n))).toBe(n % 2 === 0 ? -1 : n)
    expect(table.key(n)).toBe(keyOf(n))
    table.read(n, bytes)
    expect(Buffer.from(bytes).toString('latin1')).toBe(keyOf(n))
  }
})

test('a key of another size is refused', () => {
  expect(() => new KeyTable(16).find('short')).toThrow(RangeError)
})

test('room that was made at once changes nothing else, however little or much comes', () => {
  const table = new KeyTable(16)
  table.add(keyOf(0), 0)
  for (const count of [0, 1000, 10]) table.reserve(count, count / 2)
  for (let n = 1; n < 5000; n++) table.add(keyOf(n), n)
  for (let n = 0; n < 5000; n += 7) expect(table.find(keyOf(n))).toBe(n)
  expect(table.find(keyOf(5000))).toBe(-1)
})

test('who has made room grows no more', () => {
  const table = new KeyTable(16)
  const count = 50_000
  table.reserve(count, count)
  const before = process.memoryUsage().arrayBuffers
  for (let n = 0; n < count; n++) table.add(keyOf(n), n)
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(100_000)
})
