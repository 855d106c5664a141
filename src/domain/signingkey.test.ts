import { expect, test } from 'vitest'
import {
  activeSigningKey,
  planSigningKeys,
  type SigningKeyPolicy,
  type SigningKeyTimes,
} from './signingkey.ts'

const day = 86_400_000
const policy: SigningKeyPolicy = { every: 30 * day, ahead: day, overlap: 2 * day }
const at = (days: number) => new Date(days * day)

/** Lives through the days, and says which keys were published and which one signed. */
function live(days: number, rules = policy) {
  let keys: SigningKeyTimes[] = []
  const published: string[][] = []
  const signing: (string | undefined)[] = []
  for (let now = 0; now <= days; now++) {
    const { make, remove } = planSigningKeys(keys, rules, at(now))
    keys = keys.filter(({ id }) => !remove.includes(id))
    for (const { algorithm, activeAt } of make) {
      keys.push({ id: `${algorithm}@${now}`, algorithm, createdAt: at(now), activeAt })
    }
    const eddsa = keys.filter(({ algorithm }) => algorithm === 'EdDSA')
    published.push(eddsa.map(({ id }) => id))
    signing.push(activeSigningKey(keys, 'EdDSA', at(now))?.id)
  }
  return { published, signing, keys }
}

test('an installation begins with a key of each algorithm, which signs at once', () => {
  expect(planSigningKeys([], policy, at(0)).make).toEqual([
    { algorithm: 'EdDSA', activeAt: at(0) },
    { algorithm: 'ES256', activeAt: at(0) },
  ])
})

test('a key is published before it signs and after it signed, and there is always one that signs', () => {
  const { published, signing } = live(120)
  expect(signing).not.toContain(undefined)
  for (const [now, key] of signing.entries()) {
    expect(published[now], `day ${now}`).toContain(key)
    if (now > 0) expect(published[now - 1] ?? [], `the day before ${now}`).toContain(key)
    if (now > 2)
      expect(published[now], `${signing[now - 1]} on day ${now}`).toContain(signing[now - 1])
  }
  expect(new Set(signing).size).toBe(5)
  expect(Math.max(...published.map((keys) => keys.length))).toBe(2)
})

test('after a long sleep the next key is published before it signs all the same', () => {
  const key = { id: 'old', algorithm: 'EdDSA' as const, createdAt: at(0), activeAt: at(0) }
  const { make, remove } = planSigningKeys([key], policy, at(400))
  expect(make).toContainEqual({ algorithm: 'EdDSA', activeAt: at(401) })
  expect(remove).toEqual([])
})

test('a plan that was carried out plans nothing more', () => {
  const { keys } = live(45)
  expect(planSigningKeys(keys, policy, at(45))).toEqual({ make: [], remove: [] })
})

test('compromised keys go at once, and their successors sign at once', () => {
  const { keys } = live(45)
  const plan = planSigningKeys(keys, { ...policy, compromisedBefore: at(45) }, at(45))
  expect(plan.remove.toSorted()).toEqual(keys.map(({ id }) => id).toSorted())
  expect(plan.make.every(({ activeAt }) => activeAt.getTime() === at(45).getTime())).toBe(true)
})

test('a moment of compromise that is still to come waits', () => {
  const { keys } = live(45)
  const plan = planSigningKeys(keys, { ...policy, compromisedBefore: at(46) }, at(45))
  expect(plan).toEqual({ make: [], remove: [] })
})
