import { expect, test } from 'vitest'
import { RecentMap } from './recentmap.ts'

test('what was set is found, and the latest of it', () => {
  const map = new RecentMap<string, number>(3)
  map.set('a', 1)
  map.set('a', 2)
  expect([map.get('a'), map.get('b'), map.size]).toEqual([2, undefined, 1])
})

test('it never has more than it may, and what is asked for again and again stays', () => {
  const map = new RecentMap<number, number>(100)
  for (let n = 0; n < 50; n++) map.set(n, n)
  for (let n = 50; n < 10_000; n++) {
    map.set(n, n)
    for (let kept = 0; kept < 50; kept++) expect(map.get(kept)).toBe(kept)
    expect(map.size).toBeLessThanOrEqual(100)
  }
})

test('what nobody asks for goes, the eldest first', () => {
  const map = new RecentMap<number, number>(3)
  for (let n = 0; n < 5; n++) map.set(n, n)
  expect([0, 1, 2, 3, 4].filter((n) => map.get(n) !== undefined)).toEqual([2, 3, 4])
})

test('what comes when it is full of what is dead is kept for as long as it is asked for', () => {
  const map = new RecentMap<string, number>(1000)
  for (let n = 0; n < 1000; n++) map.set(`dead-${n}`, n)
  for (let round = 0; round < 3; round++) for (let n = 0; n < 1000; n++) map.get(`dead-${n}`)
  let found = 0
  for (let n = 0; n < 500; n++) {
    map.set(`new-${n}`, n)
    if (n >= 5 && map.get(`new-${n - 5}`) !== undefined) found++
  }
  expect(found).toBe(495)
})

test('of many that are all asked for now and then, none is forgotten for those that come', () => {
  const map = new RecentMap<number, number>(20_000)
  for (let n = 0; n < 5000; n++) map.set(n, n)
  for (let n = 5000; n < 40_000; n++) {
    map.set(n, n)
    if (n % 2000 === 0) for (let kept = 0; kept < 5000; kept++) expect(map.get(kept)).toBe(kept)
  }
})
