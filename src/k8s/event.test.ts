import { beforeEach, expect, test } from 'vitest'
import { ManualClock } from '../../test/support/manualclock.ts'
import { memoryLogger } from '../../test/support/runtime.ts'
import { ApiError } from './errors.ts'
import { EventRecorder, microTime } from './event.ts'
import type { Manifest } from './object.ts'

let clock: ManualClock
let created: Manifest[]
let patched: unknown[]
let dropped: number
let refuse: Error | undefined

beforeEach(() => {
  clock = new ManualClock()
  created = []
  patched = []
  dropped = 0
  refuse = undefined
})

function aRecorder(limits: ConstructorParameters<typeof EventRecorder>[0]['limits'] = {}) {
  const client = {
    create: async (_: unknown, manifest: Manifest) => {
      if (refuse) throw refuse
      created.push(manifest)
      return manifest as never
    },
    patch: async (_k: unknown, _ns: string, _name: string, patch: object) => {
      if (refuse) throw refuse
      patched.push(patch)
      return patch as never
    },
  }
  return new EventRecorder({
    client,
    clock,
    logger: memoryLogger(),
    reportingController: 'runtime.test/operator',
    reportingInstance: 'one',
    fieldManager: 'test',
    onDropped: () => {
      dropped += 1
    },
    limits,
  })
}

const about = (name: string) => ({
  apiVersion: 'runtime.test/v1',
  kind: 'Widget',
  metadata: {
    name,
    namespace: 'ns',
    uid: `u-${name}`,
    resourceVersion: '1',
    creationTimestamp: '',
  },
})

const said = (note: string) =>
  ({ type: 'Warning', reason: 'Broken', action: 'Reconcile', note }) as const

test('a hundred thousand repeats are one event and a count now and then', async () => {
  const recorder = aRecorder()
  for (let i = 0; i < 100_000; i += 1) recorder.record(about('a'), said('oh'))
  await clock.advance(30_000)
  expect(created).toHaveLength(1)
  expect(patched).toEqual([{ series: { count: 100_000, lastObservedTime: expect.anything() } }])
})

test('an object that says something new every time is cut short, and no other is', async () => {
  const recorder = aRecorder()
  for (let i = 0; i < 100; i += 1) recorder.record(about('a'), said(`oh ${i}`))
  recorder.record(about('b'), said('oh'))
  await clock.advance(0)
  expect(created).toHaveLength(26)
  expect(dropped).toBe(75)
  await clock.advance(60_000)
  recorder.record(about('a'), said('at last'))
  await clock.advance(0)
  expect(created).toHaveLength(27)
})

test('after a silence the same again is a new event', async () => {
  const recorder = aRecorder()
  recorder.record(about('a'), said('oh'))
  await clock.advance(11 * 60_000)
  recorder.record(about('a'), said('oh'))
  await clock.advance(60_000)
  expect(created).toHaveLength(2)
  expect(patched).toEqual([])
})

test('an event that the API server has forgotten begins anew', async () => {
  const recorder = aRecorder()
  recorder.record(about('a'), said('oh'))
  await clock.advance(0)
  refuse = new ApiError('patch events', 404, 'NotFound', '')
  recorder.record(about('a'), said('oh'))
  await clock.advance(30_000)
  refuse = undefined
  recorder.record(about('a'), said('oh'))
  await clock.advance(0)
  expect(created).toHaveLength(2)
})

test('events that cannot be written are dropped and counted, and what waits is bounded', async () => {
  const recorder = aRecorder({ waiting: 10 })
  refuse = new Error('no API server')
  for (let i = 0; i < 50; i += 1) recorder.record(about(`w${i}`), said('oh'))
  await clock.advance(0)
  expect(dropped).toBe(50)
})

test('stopping writes the counts that wait', async () => {
  const recorder = aRecorder()
  recorder.record(about('a'), said('oh'))
  recorder.record(about('a'), said('oh'))
  await recorder.stop()
  expect(created).toHaveLength(1)
  expect(patched).toEqual([{ series: { count: 2, lastObservedTime: expect.anything() } }])
  expect(clock.pending).toBe(0)
})

test('a long note is cut, and times have six fractional digits', async () => {
  const recorder = aRecorder()
  recorder.record(about('a'), said('x'.repeat(5000)))
  await clock.advance(0)
  expect(String(created[0]?.['note'])).toHaveLength(1024)
  expect(created[0]?.['eventTime']).toBe('2026-01-01T00:00:00.000000Z')
  expect(microTime(1)).toBe('1970-01-01T00:00:00.001000Z')
})
