import { expect, test } from 'vitest'
import { hashOfNothing, isAffordable, isOutdated, readPasswordHash } from './passwordhash.ts'

const current = { memory: 19_456, iterations: 2, parallelism: 1 }
const tail = `$${'A'.repeat(22)}$${'A'.repeat(43)}`

test.each([
  [`$argon2id$v=19$m=19456,t=2,p=1${tail}`, current],
  [`$argon2id$v=19$m=4194304,t=2,p=1${tail}`, { ...current, memory: 4_194_304 }],
  [`$argon2id$v=16$m=19456,t=2,p=1${tail}`, undefined],
  [`$argon2i$v=19$m=19456,t=2,p=1${tail}`, undefined],
  [`$argon2id$v=19$m=0,t=2,p=1${tail}`, undefined],
  [`$argon2id$v=19$t=2,m=19456,p=1${tail}`, undefined],
  [`$argon2id$v=19$m=19456,t=2,p=1${tail}$`, undefined],
  ['$2b$12$abcdefghijklmnopqrstuv', undefined],
  ['', undefined],
])('of %s are read %j', (hash, expected) => {
  expect(readPasswordHash(hash)).toEqual(expected)
})

test.each([
  ['as much as is used now', current, true],
  ['64 MiB and ten passes', { memory: 65_536, iterations: 10, parallelism: 4 }, true],
  ['more memory', { ...current, memory: 65_537 }, false],
  ['more passes', { ...current, iterations: 11 }, false],
  ['more lanes', { ...current, parallelism: 5 }, false],
])('a hash that takes %s is obeyed or not', (_name, parameters, affordable) => {
  expect(isAffordable(parameters, current)).toBe(affordable)
})

test('a hash is outdated by either parameter, and by no greater one', () => {
  expect(isOutdated({ ...current, memory: 8192 }, current)).toBe(true)
  expect(isOutdated({ ...current, iterations: 1 }, current)).toBe(true)
  expect(isOutdated({ ...current, memory: 65_536 }, current)).toBe(false)
  expect(isOutdated(current, current)).toBe(false)
})

test('a hash of nothing reads like any other', () => {
  expect(readPasswordHash(hashOfNothing(current, Buffer.alloc(48, 7)))).toEqual(current)
})
