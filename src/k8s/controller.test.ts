import { Registry } from 'prom-client'
import { beforeEach, expect, test } from 'vitest'
import { ManualClock, settle } from '../../test/support/manualclock.ts'
import { memoryLogger } from '../../test/support/runtime.ts'
import { WIDGETS, type Widget, WidgetReconciler } from '../../test/support/widget.ts'
import { Controller, type ControllerOptions } from './controller.ts'
import { ApiError, ConflictError, LeaseLostError } from './errors.ts'
import { Informer } from './informer.ts'
import { RuntimeMetrics } from './metrics.ts'
import { type Condition, conditionOf, type Manifest } from './object.ts'
import { done, waiting } from './reconciler.ts'

let clock: ManualClock
let version: number

beforeEach(() => {
  clock = new ManualClock()
  version = 100
})

/** A controller on an API server of a few lines, which keeps one version of each object. */
function aController(
  steps: ConstructorParameters<typeof WidgetReconciler>[0] = {},
  options: Partial<ControllerOptions<Widget>> = {},
) {
  const objects = new Map<string, Widget>()
  const reconciler = new WidgetReconciler(steps)
  const writes: string[] = []
  let refuse: Error | undefined
  const write = (
    what: string,
    name: string,
    change: (widget: Widget) => object,
  ): Promise<never> => {
    if (refuse) return Promise.reject(refuse)
    const widget = objects.get(name)
    if (!widget) return Promise.reject(new ApiError(what, 404, 'NotFound', ''))
    version += 1
    const metadata = { ...widget.metadata, resourceVersion: String(version) }
    const changed = { ...widget, metadata, ...change({ ...widget, metadata }) } as Widget
    objects.set(name, changed)
    writes.push(what)
    return Promise.resolve(changed as never)
  }
  const client = {
    get: async (_: unknown, _ns: string, name: string) => objects.get(name) as never,
    apply: (_: unknown, { metadata, status }: Manifest) =>
      write('status', metadata.name, () => ({ status })),
    patch: (_: unknown, _ns: string, name: string, patch: { metadata?: object }) =>
      write('finalizers', name, ({ metadata }) => ({
        metadata: { ...metadata, ...patch.metadata, resourceVersion: String(version) },
      })),
    list: () => new Promise<never>(() => {}),
    watch: () => new Promise<never>(() => {}),
  }
  const metrics = new RuntimeMetrics(new Registry())
  const logger = memoryLogger()
  const random = () => 0.5
  const shared = { client, clock, random, logger }
  const observer = metrics.reflector('Widget')
  const informer = new Informer<Widget>({ ...shared, kind: WIDGETS, namespaces: [], observer })
  const controller = new Controller<Widget>({
    ...shared,
    reconciler,
    informer,
    metrics,
    fieldManager: 'test',
    concurrency: 4,
    resyncInterval: 300_000,
    timeout: 60_000,
    record: () => {},
    get: () => undefined,
    referrers: () => [],
    ...options,
  })
  informer.store.subscribe((change) => controller.handle(change))
  const put = (name: string, change: Partial<Widget> = {}, generation = 1): void => {
    version += 1
    const metadata = {
      namespace: 'ns',
      name,
      uid: `uid-${name}`,
      generation,
      resourceVersion: String(version),
      creationTimestamp: '2026-01-01T00:00:00Z',
      finalizers: ['runtime.test/widget'],
    }
    const { apiVersion, kind } = { apiVersion: 'runtime.test/v1', kind: 'Widget' }
    const was = objects.get(name)
    const status = was?.status ?? { observedGeneration: -1 }
    const object = { apiVersion, kind, metadata, spec: {}, status, ...change }
    objects.set(name, object)
    informer.store.receive({ type: was ? 'MODIFIED' : 'ADDED', object })
  }
  const ready = (name: string): Condition | undefined =>
    conditionOf(objects.get(name) as Widget, 'Ready')
  const fail = (error: Error | undefined): void => {
    refuse = error
  }
  /** The object goes, as when somebody has taken its finalizer away. */
  const vanish = (name: string): void => {
    const { metadata, ...rest } = objects.get(name) as Widget
    objects.delete(name)
    const object = { ...rest, metadata: { ...metadata, finalizers: [] } }
    informer.store.receive({ type: 'DELETED', object })
  }
  return { controller, reconciler, informer, objects, writes, put, vanish, ready, fail, logger }
}

test('nothing is reconciled before it is started', async () => {
  const { controller, reconciler, put } = aController()
  put('a')
  await clock.advance(600_000)
  expect(reconciler.passes).toEqual([])
  controller.start()
  await settle()
  expect(reconciler.passesOf('a')).toBe(1)
})

test('an object is looked at again at each resync, and nothing is written', async () => {
  const { controller, reconciler, put, writes } = aController()
  controller.start()
  put('a')
  await settle()
  expect(writes).toEqual(['status'])
  await clock.advance(3_600_000)
  expect(reconciler.passesOf('a')).toBe(13)
  expect(writes).toEqual(['status'])
})

test('an object is called again at the very time that it asked for', async () => {
  const at: number[] = []
  const due = clock.now() + 123_456
  const { controller, put } = aController({
    reconcile: async (_, context) => {
      at.push(context.now().getTime())
      return done('well', { status: {}, ...(at.length === 1 && { requeueAt: new Date(due) }) })
    },
  })
  controller.start()
  put('a')
  await clock.advance(123_455)
  expect(at).toHaveLength(1)
  await clock.advance(1)
  expect(at[1]).toBe(due)
})

test('asking for a time that has passed is not a busy loop', async () => {
  const { controller, reconciler, put } = aController({
    reconcile: async () => done('well', { status: {}, requeueAt: new Date(0) }),
  })
  controller.start()
  put('a')
  await clock.advance(10_000)
  expect(reconciler.passesOf('a')).toBe(11)
})

test('a fault is retried after 1, 2, 4 … 60 seconds, and its status is written once', async () => {
  const at: number[] = []
  const start = clock.now()
  const { controller, put, writes, ready } = aController(
    {
      reconcile: async (_, context) => {
        at.push((context.now().getTime() - start) / 1000)
        throw new Error('no database')
      },
    },
    { random: () => 1 },
  )
  controller.start()
  put('a')
  await clock.advance(250_000)
  expect(at).toEqual([0, 1, 3, 7, 15, 31, 63, 123, 183, 243])
  expect(writes).toEqual(['status'])
  expect(ready('a')).toMatchObject({ status: 'False', reason: 'ReconcileError' })
})

test.each([
  ['a conflict', new ConflictError('changed')],
  ['a conflict of the API server', new ApiError('apply', 409, 'Conflict', '')],
  ['a lost lease', new LeaseLostError('lost')],
])('%s is tried again, and nobody is told', async (_, error) => {
  let passes = 0
  const { controller, put, writes, ready, logger } = aController({
    reconcile: async () => {
      passes += 1
      if (passes === 1) throw error
      return done('well', { status: {} })
    },
  })
  controller.start()
  put('a')
  await settle()
  expect(writes).toEqual([])
  await clock.advance(1000)
  expect(ready('a')?.status).toBe('True')
  expect(logger.lines).toEqual([])
})

test('the text that an error has for people is what they are shown', async () => {
  const { controller, put, ready } = aController({
    reconcile: () =>
      Promise.reject(Object.assign(new Error('10.0.0.1:5432'), { publicMessage: 'Try later.' })),
  })
  controller.start()
  put('a')
  await settle()
  expect(ready('a')?.message).toBe('Try later.')
})

test('an object that vanishes under a pass is no fault', async () => {
  const { controller, put, objects, informer, logger, reconciler } = aController({
    reconcile: async (widget) => {
      objects.delete('a')
      informer.store.receive({ type: 'DELETED', object: widget })
      return done('well', { status: {} })
    },
  })
  controller.start()
  put('a')
  await clock.advance(600_000)
  expect(reconciler.passesOf('a')).toBe(1)
  expect(reconciler.finalized).toEqual(['a'])
  expect(logger.lines.filter((line) => line.level !== 'info')).toEqual([])
})

test('a status that could not be written is tried again', async () => {
  const { controller, put, fail, ready, reconciler } = aController()
  controller.start()
  fail(new ApiError('apply', 503, 'ServiceUnavailable', ''))
  put('a')
  await clock.advance(5000)
  expect(reconciler.passesOf('a')).toBeGreaterThan(1)
  fail(undefined)
  await clock.advance(60_000)
  expect(ready('a')?.status).toBe('True')
})

test('a spec that changes under a pass is observed by the next, and the status never lies', async () => {
  let release = (): void => {}
  const { controller, put, objects, ready } = aController({
    reconcile: async () => {
      await new Promise<void>((resolve) => {
        release = resolve
      })
      return done('well', { status: {} })
    },
  })
  controller.start()
  put('a')
  await settle()
  put('a', {}, 2)
  release()
  await settle()
  expect(objects.get('a')?.status?.observedGeneration).toBe(1)
  expect(ready('a')?.observedGeneration).toBe(1)
  release()
  await settle()
  expect(objects.get('a')?.status?.observedGeneration).toBe(2)
})

test('a pass that ignores its time-out keeps its object, and not its worker', async () => {
  let release = (): void => {}
  const { controller, put, ready, reconciler } = aController(
    {
      reconcile: async (widget) => {
        if (widget.metadata.name === 'deaf') {
          await new Promise<void>((resolve) => {
            release = resolve
          })
        }
        return done('well', { status: {} })
      },
    },
    { concurrency: 1 },
  )
  controller.start()
  put('deaf')
  await settle()
  put('good')
  await clock.advance(66_000)
  expect(ready('deaf')?.message).toBe('This takes longer than it may; it is tried again.')
  expect(reconciler.passesOf('good')).toBe(0)
  await clock.advance(10_000)
  expect(ready('good')?.status).toBe('True')

  put('deaf', {}, 2)
  await clock.advance(600_000)
  expect(reconciler.passesOf('deaf')).toBe(1)
  release()
  await clock.advance(1000)
  expect(reconciler.passesOf('deaf')).toBe(2)
  expect(reconciler.overlapped).toBe(false)
})

test('stopping waits for what is under way, and aborting does not blame the object', async () => {
  const { controller, put, ready, writes } = aController({
    reconcile: (_, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(new Error('aborted query')))
      }),
  })
  controller.start()
  put('a')
  await settle()
  const stopping = controller.stop(5000)
  await clock.advance(4999)
  expect(writes).toEqual([])
  await clock.advance(1)
  await stopping
  expect(ready('a')).toBeUndefined()
  put('b')
  await clock.advance(600_000)
  expect(writes).toEqual([])
})

test('what goes past its finalizer is finalized all the same, however often that fails', async () => {
  let failures = 3
  const { controller, put, vanish, reconciler, logger } = aController({
    finalize: async (widget) => {
      if (failures-- > 0) throw new Error('no database')
      return done(`size ${widget.spec.size}`)
    },
  })
  controller.start()
  put('a', { spec: { size: 7 } })
  await settle()
  vanish('a')
  await clock.advance(600_000)
  expect(reconciler.finalized).toEqual(['a', 'a', 'a', 'a'])
  expect(reconciler.passesOf('a')).toBe(1)
  expect(reconciler.overlapped).toBe(false)
  expect(logger.lines.at(-1)?.text).toContain('size 7')
  controller.wake('ns/a', 'test')
  await clock.advance(600_000)
  expect(reconciler.finalized).toHaveLength(4)
})

test('what was finalized in order, or was never begun, is not finalized when it goes', async () => {
  const { controller, put, vanish, objects, informer, reconciler } = aController()
  controller.start()
  put('a')
  put('asleep', { spec: { suspend: true } })
  await settle()
  const { metadata } = objects.get('a') as Widget
  const at = '2026-01-01T00:00:00Z'
  put('a', { metadata: { ...metadata, resourceVersion: '900', deletionTimestamp: at } })
  await settle()
  expect(reconciler.finalized).toEqual(['a'])
  informer.store.receive({ type: 'DELETED', object: objects.get('a') as Widget })
  vanish('asleep')
  await clock.advance(600_000)
  expect(reconciler.finalized).toEqual(['a'])
})

test('what waits to be finalized is asked again when it is woken, until its name is taken', async () => {
  const { controller, put, vanish, reconciler } = aController({
    finalize: async () => waiting('DeletionBlocked', 'A child is left.'),
  })
  controller.start()
  put('a')
  await settle()
  vanish('a')
  await settle()
  expect(reconciler.finalized).toHaveLength(1)
  controller.wake('ns/a', 'its child is gone')
  await settle()
  expect(reconciler.finalized).toHaveLength(2)
  await clock.advance(400_000)
  expect(reconciler.finalized).toHaveLength(3)
  put('a')
  await clock.advance(1_000_000)
  expect(reconciler.finalized).toHaveLength(3)
  expect(reconciler.passesOf('a')).toBeGreaterThan(1)
})

test('a standby finalizes what went when it comes to lead, and keeps a bounded number', async () => {
  const { controller, put, vanish, reconciler } = aController()
  for (let i = 0; i < 1200; i += 1) put(`w${i}`, { status: { observedGeneration: 1 } })
  for (let i = 0; i < 1200; i += 1) vanish(`w${i}`)
  await clock.advance(600_000)
  expect(reconciler.finalized).toEqual([])
  expect(controller.queue.depth('low') + controller.queue.depth('high')).toBe(1000)
  controller.start()
  await clock.advance(1000)
  expect(reconciler.finalized).toHaveLength(1000)
  expect(reconciler.finalized).toContain('w1199')
})
