import { expect, test } from 'vitest'
import { aPolicy } from '../../../test/support/build/indexed.ts'
import { PolicyPool } from './policy.ts'

test('what is the same is one object, for as long as somebody has it', () => {
  const pool = new PolicyPool()
  const text = aPolicy({ scopes: ['a'], cidrs: ['10.0.0.0/8'] })
  const policy = pool.acquire(text)
  expect(pool.acquire(text)).toBe(policy)
  expect(pool.acquire(aPolicy({ scopes: ['b'], cidrs: ['10.0.0.0/8'] })).networks).toBe(
    policy.networks,
  )
  pool.release(policy)
  expect(pool.acquire(text)).toBe(policy)
  for (let holder = 0; holder < 2; holder++) pool.release(policy)
  expect(pool.acquire(text)).not.toBe(policy)
})

test('an empty list of networks or origins is no limit', () => {
  const policy = new PolicyPool().acquire(aPolicy())
  expect(policy).toMatchObject({ scope: '', networks: undefined, origins: undefined })
  expect(policy.rateLimit).toBeUndefined()
})

test('without a burst, the bucket holds one window', () => {
  const { rateLimit } = new PolicyPool().acquire(aPolicy({ rateLimit: [600, 60_000, null] }))
  expect(rateLimit).toEqual({
    requests: 600,
    window: 60_000,
    burst: 600,
    header: '"api-key";q=600;w=60',
  })
})

test('a scope that is none is left out: it could not be asked for, and would break a header', () => {
  const { scopes } = new PolicyPool().acquire(aPolicy({ scopes: ['a', 'b c', 'd"', 'e\r\n'] }))
  expect(scopes).toEqual(['a'])
})
