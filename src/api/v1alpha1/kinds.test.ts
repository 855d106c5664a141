import { expect, test } from 'vitest'
import { reasons } from './conditions.ts'
import { kinds } from './kinds.ts'

test('each kind has names of its own', () => {
  const names = kinds.flatMap(({ plural, singular, shortNames }) => [
    plural,
    singular,
    ...shortNames,
  ])
  expect(new Set(names).size).toBe(names.length)
})

test('each reason belongs to a kind', () => {
  const used = new Set(kinds.flatMap((kind) => kind.reasons))
  expect(
    Object.keys(reasons).filter((reason) => !used.has(reason as keyof typeof reasons)),
  ).toEqual([])
})

test('each reason says in a sentence what it means', () => {
  for (const { means } of Object.values(reasons)) expect(means).toMatch(/^[A-Za-z].*\.$/)
})
