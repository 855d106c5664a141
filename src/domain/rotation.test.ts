import { expect, test } from 'vitest'
import { type KeySecret, planSuccession } from './rotation.ts'

const at = (minutes: number) => new Date(Date.UTC(2027, 0, 1) + minutes * 60_000)
const secret = (id: string, created: number, expires?: number): KeySecret => ({
  id,
  createdAt: at(created),
  expiresAt: expires === undefined ? null : at(expires),
})
const rotation = { every: 90 * 60_000, overlap: 10 * 60_000 }

test.each([
  [
    'no secret yet: mint',
    [],
    0,
    rotation,
    false,
    { current: undefined, mint: true, retire: [], drop: [] },
  ],
  [
    'a young secret stays',
    [secret('a', 0)],
    89,
    rotation,
    false,
    { current: 'a', mint: false, retire: [], drop: [] },
  ],
  [
    'a secret of age is replaced, and works on until the overlap ends',
    [secret('a', 0)],
    90,
    rotation,
    false,
    { current: undefined, mint: true, retire: [{ id: 'a', expiresAt: at(100) }], drop: [] },
  ],
  [
    'during the overlap nothing changes',
    [secret('a', 0, 100), secret('b', 90)],
    99,
    rotation,
    false,
    { current: 'b', mint: false, retire: [], drop: [] },
  ],
  [
    'after the overlap the former secret is over',
    [secret('a', 0, 100), secret('b', 90)],
    100,
    rotation,
    false,
    { current: 'b', mint: false, retire: [], drop: ['a'] },
  ],
  [
    'a request rotates before the time',
    [secret('a', 0)],
    5,
    rotation,
    true,
    { current: undefined, mint: true, retire: [{ id: 'a', expiresAt: at(15) }], drop: [] },
  ],
  [
    'a request without a rule ends the former secret at once',
    [secret('a', 0)],
    5,
    undefined,
    true,
    { current: undefined, mint: true, retire: [], drop: ['a'] },
  ],
  [
    'without a rule a secret never ages',
    [secret('a', 0)],
    1e6,
    undefined,
    false,
    { current: 'a', mint: false, retire: [], drop: [] },
  ],
  [
    'a request during an overlap ends the one that was retiring',
    [secret('a', 0, 100), secret('b', 90)],
    91,
    rotation,
    true,
    { current: undefined, mint: true, retire: [{ id: 'b', expiresAt: at(101) }], drop: ['a'] },
  ],
  [
    'of several that retire the newest goes on',
    [secret('a', 0, 100), secret('b', 1, 100), secret('c', 90)],
    91,
    rotation,
    false,
    { current: 'c', mint: false, retire: [], drop: ['a'] },
  ],
  [
    'of two open secrets the newest is current',
    [secret('a', 0), secret('b', 1)],
    2,
    rotation,
    false,
    { current: 'b', mint: false, retire: [{ id: 'a', expiresAt: at(12) }], drop: [] },
  ],
])('%s', (_, secrets, now, rule, requested, plan) => {
  expect(planSuccession({ secrets, now: at(now), rotation: rule, requested })).toEqual(plan)
})

test.each([
  [
    'an older secret is replaced, with the overlap of the rule',
    5,
    rotation,
    [{ id: 'a', expiresAt: at(20) }],
  ],
  ['without a rule it works for a day more', 5, undefined, [{ id: 'a', expiresAt: at(10 + 1440) }]],
  ['with an overlap of nothing it ends at once', 5, { every: 90 * 60_000, overlap: 0 }, []],
] as const)('compromised: %s', (_, before, rule, retire) => {
  const plan = planSuccession({
    secrets: [secret('a', 0)],
    now: at(10),
    rotation: rule,
    requested: false,
    compromisedBefore: at(before),
  })
  expect(plan).toMatchObject({ current: undefined, mint: true, retire })
})

test('a secret that was made at the moment of compromise, or after it, stays', () => {
  const input = { now: at(10), rotation: undefined, requested: false, compromisedBefore: at(5) }
  for (const created of [5, 6]) {
    const plan = planSuccession({ ...input, secrets: [secret('a', created)] })
    expect(plan).toEqual({ current: 'a', mint: false, retire: [], drop: [] })
  }
})
