import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { CommonStatus } from './object.ts'
import { done, stalled, waiting } from './reconciler.ts'
import {
  assertInvariants,
  type ComputedStatus,
  computeStatus,
  type StatusInput,
  statusEquals,
  type Verdict,
} from './status.ts'

const at = (seconds: number) => new Date(Date.parse('2026-01-01T00:00:00Z') + seconds * 1000)

const computed = (input: Partial<StatusInput>): ComputedStatus =>
  computeStatus({
    previous: undefined,
    verdict: done('It is as it should be.'),
    generation: 1,
    requestedAt: undefined,
    now: at(0),
    ...input,
  })

const shape = (status: CommonStatus) =>
  status.conditions?.map((c) => `${c.type}=${c.status} ${c.reason}`)

describe('what a pass came to', () => {
  test.each<[Verdict, string[]]>([
    [done('well'), ['Ready=True Reconciled']],
    [done('well', { reason: 'Delivered' }), ['Ready=True Delivered']],
    [
      waiting('OrganizationNotReady', 'acme?'),
      ['Ready=False OrganizationNotReady', 'Reconciling=True OrganizationNotReady'],
    ],
    [stalled('Conflict', 'who?'), ['Ready=False Conflict', 'Stalled=True Conflict']],
    [
      { outcome: 'fault', message: 'oh' },
      ['Ready=False ReconcileError', 'Reconciling=True ProgressingWithRetry'],
    ],
  ])('%j becomes %j', (verdict, conditions) => {
    const status = computed({ verdict })
    expect(shape(status)).toEqual(conditions)
    assertInvariants(status, 1)
  })

  test('the kind’s own fields are replaced when they are given, and kept when they are not', () => {
    const first = computed({ verdict: done('well', { status: { id: 'org_1', size: 2 } }) })
    expect(first).toMatchObject({ id: 'org_1', size: 2 })
    const kept = computed({ previous: first, verdict: { outcome: 'fault', message: 'oh' } })
    expect(kept).toMatchObject({ id: 'org_1', size: 2 })
    const replaced = computed({
      previous: kept,
      verdict: done('well', { status: { id: 'org_1' } }),
    })
    expect(replaced).not.toHaveProperty('size')
  })

  test('the kind’s own conditions go when they are left out, and stay through a fault', () => {
    const blocked = waiting('DeletionBlocked', 'project/a', {
      conditions: [
        { type: 'DeletionBlocked', status: 'True', reason: 'HasChildren', message: 'project/a' },
      ],
    })
    const first = computed({ verdict: blocked })
    expect(shape(first)).toContain('DeletionBlocked=True HasChildren')
    const faulty = computed({ previous: first, verdict: { outcome: 'fault', message: 'oh' } })
    expect(shape(faulty)).toContain('DeletionBlocked=True HasChildren')
    expect(shape(computed({ previous: faulty }))).toEqual(['Ready=True Reconciled'])
  })

  test('a condition’s time changes when its status flips, and not otherwise', () => {
    const first = computed({ now: at(0) })
    const second = computed({ previous: first, now: at(60), verdict: done('still well') })
    expect(second.conditions[0]?.lastTransitionTime).toBe('2026-01-01T00:00:00Z')
    const third = computed({ previous: second, now: at(61), verdict: waiting('Why', 'oh') })
    expect(third.conditions[0]?.lastTransitionTime).toBe('2026-01-01T00:01:01Z')
  })

  test('of a request only what the schema takes is repeated, and a second pass changes nothing', () => {
    for (const requestedAt of ['x'.repeat(100_000), `${'x'.repeat(252)}😀`]) {
      const first = computed({ requestedAt })
      expect(first.lastHandledReconcileAt).toMatch(/^x{252,253}$/)
      expect(statusEquals(computed({ requestedAt, previous: first }), first)).toBe(true)
    }
  })

  test('a request is answered, and the answer stays', () => {
    const first = computed({ requestedAt: 'now' })
    expect(first.lastHandledReconcileAt).toBe('now')
    expect(computed({ previous: first }).lastHandledReconcileAt).toBe('now')
  })

  test('a long message is cut between characters', () => {
    const status = computed({ verdict: done(`${'x'.repeat(1022)}😀😀`) })
    const message = status.conditions[0]?.message ?? ''
    expect(message.length).toBeLessThanOrEqual(1024)
    expect(message.endsWith('x…')).toBe(true)
  })

  test.each([
    ['a reason that is a sentence', stalled('it is wrong', 'x')],
    ['an empty reason', stalled('', 'x')],
    [
      'a condition of the runtime’s',
      done('x', { conditions: [{ type: 'Ready', status: 'True', reason: 'A', message: '' }] }),
    ],
  ])('%s is refused', (_, verdict) => {
    expect(() => computed({ verdict })).toThrow(RangeError)
  })
})

const word = fc.stringMatching(/^[A-Z][A-Za-z]{0,12}$/)
const extra = fc.record({
  type: fc.constantFrom('DeletionBlocked', 'Delivered'),
  status: fc.constantFrom('True' as const, 'False' as const),
  reason: word,
  message: fc.string(),
})
const options = fc.record(
  {
    status: fc.record({ id: fc.string(), at: fc.option(fc.date({ noInvalidDate: true })) }),
    conditions: fc.uniqueArray(extra, { selector: (c) => c.type }),
  },
  { requiredKeys: [] },
)
const verdict: fc.Arbitrary<Verdict> = fc.oneof(
  fc.tuple(fc.string({ maxLength: 3000 }), options).map(([m, o]) => done(m, o)),
  fc.tuple(word, fc.string(), options).map(([r, m, o]) => waiting(r, m, o)),
  fc.tuple(word, fc.string(), options).map(([r, m, o]) => stalled(r, m, o)),
  fc.string().map((message) => ({ outcome: 'fault' as const, message })),
)

test('the rules of kstatus hold after any passes, and the same pass again writes nothing', () => {
  const pass = fc.record({ verdict, edited: fc.boolean(), later: fc.nat(1000) })
  fc.assert(
    fc.property(fc.array(pass, { maxLength: 12 }), (passes) => {
      let previous: CommonStatus = { observedGeneration: -1 }
      let generation = 1
      let now = 0
      for (const { verdict: v, edited, later } of passes) {
        if (edited) generation += 1
        now += later
        const input = { previous, verdict: v, generation, requestedAt: undefined, now: at(now) }
        const status = computeStatus(input)
        assertInvariants(status, generation)
        const again = computeStatus({ ...input, previous: status, now: at(now + 100) })
        expect(statusEquals(again, status)).toBe(true)
        // As the API server keeps it.
        previous = JSON.parse(JSON.stringify(status)) as CommonStatus
      }
    }),
  )
})

test('an order of conditions of the API server’s own is no difference', () => {
  const status = computed({ verdict: waiting('Why', 'oh') })
  const kept = { ...status, conditions: status.conditions.toReversed() }
  expect(statusEquals(status, kept)).toBe(true)
})

describe('the invariants', () => {
  const good = computed({})
  const [ready] = good.conditions
  const bad = (conditions: unknown) => ({ ...good, conditions }) as CommonStatus
  const is = (type: string, status = 'True') => ({ ...ready, type, status })
  test.each<[string, CommonStatus]>([
    ['no Ready', bad([])],
    ['Ready twice', bad([ready, ready])],
    ['Reconciling=False', bad([ready, is('Reconciling', 'False')])],
    ['Ready=True beside Stalled', bad([ready, is('Stalled')])],
    ['both at once', bad([is('Ready', 'False'), is('Reconciling'), is('Stalled')])],
    ['Ready=False without a word why', bad([is('Ready', 'False')])],
    ['Ready=True for another generation', bad([{ ...ready, observedGeneration: 0 }])],
    ['a generation of the future', { ...good, observedGeneration: 2 }],
    ['no observedGeneration', { conditions: good.conditions }],
    ['a time with fractions', bad([{ ...ready, lastTransitionTime: '2026-01-01T00:00:00.000Z' }])],
  ])('%s breaks them', (_, status) => {
    expect(() => assertInvariants(status, 1)).toThrow('kstatus')
  })
})
