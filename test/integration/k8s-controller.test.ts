import { afterEach, beforeAll, expect, test } from 'vitest'
import type { KubeClient } from '../../src/k8s/client.ts'
import type { Manager } from '../../src/k8s/manager.ts'
import { conditionOf, isReady } from '../../src/k8s/object.ts'
import { waiting } from '../../src/k8s/reconciler.ts'
import { assertInvariants } from '../../src/k8s/status.ts'
import { testCluster } from '../support/controlplane.ts'
import { eventually, testManager, widgetClient } from '../support/runtime.ts'
import { aWidget, WIDGETS, type Widget, WidgetReconciler } from '../support/widget.ts'

const cluster = testCluster()
/** The administrator's: makes and reads what the controller is to reconcile. */
let admin: KubeClient
const managers: Manager[] = []

beforeAll(async () => {
  admin = await widgetClient(cluster.kubeconfig)
})

afterEach(async () => {
  await Promise.all(managers.splice(0).map((manager) => manager.stop(5000)))
})

/** A running manager, with a client of its own so that its writes are counted alone. */
async function running(
  reconciler: WidgetReconciler,
  options: Parameters<typeof testManager>[1] = {},
) {
  const namespace = await cluster.namespace()
  const client = await widgetClient(cluster.kubeconfig)
  client.writes.clear()
  const started = testManager(client, { namespaces: [namespace], ...options })
  started.manager.add(reconciler)
  managers.push(started.manager)
  await started.manager.start(() => {})
  return { ...started, namespace, client }
}

const create = (namespace: string, name: string, spec: Widget['spec'] = {}) =>
  admin.create<Widget>(WIDGETS, aWidget(namespace, name, spec), { fieldManager: 'test' })

const read = async (namespace: string, name: string): Promise<Widget> => {
  const widget = await admin.get<Widget>(WIDGETS, namespace, name)
  if (!widget) throw new Error(`${name} is gone`)
  if (widget.status?.conditions) assertInvariants(widget.status, widget.metadata.generation ?? 0)
  return widget
}

const untilReady = (namespace: string, name: string) =>
  eventually(async () => {
    const widget = await read(namespace, name)
    return isReady(widget) && widget
  }, `${name} is Ready`)

const change = (namespace: string, name: string, patch: object) =>
  admin.patch<Widget>(WIDGETS, namespace, name, patch, { fieldManager: 'test' })

test('a new object gets its finalizer and its status in two writes, and a second pass writes nothing', async () => {
  const reconciler = new WidgetReconciler()
  const { namespace, client, manager } = await running(reconciler)
  await create(namespace, 'one', { size: 3 })

  const widget = await untilReady(namespace, 'one')
  expect(widget.metadata.finalizers).toEqual(['runtime.test/widget'])
  expect(widget.status).toMatchObject({ observedGeneration: 1, size: 3 })
  expect(Object.fromEntries(client.writes)).toEqual({ 'patch widgets': 1, 'apply widgets': 1 })

  const passes = reconciler.passesOf('one')
  manager.wake(`Widget/${namespace}/one`, 'test')
  await eventually(() => reconciler.passesOf('one') > passes, 'another pass')
  await eventually(() => reconciler.active.size === 0, 'its end')
  expect(client.writeCount).toBe(2)
  expect((await read(namespace, 'one')).metadata.resourceVersion).toBe(
    widget.metadata.resourceVersion,
  )
})

test('our own writes wake nobody', async () => {
  const reconciler = new WidgetReconciler()
  const { namespace } = await running(reconciler)
  await create(namespace, 'one')
  await untilReady(namespace, 'one')
  await new Promise((resolve) => setTimeout(resolve, 500))
  expect(reconciler.passesOf('one')).toBe(1)
})

test('a thousand edits coalesce, and no object is ever worked on twice at once', async () => {
  const reconciler = new WidgetReconciler({
    reconcile: async (widget) => {
      await new Promise((resolve) => setTimeout(resolve, 20))
      return waiting('Slow', `size ${widget.spec.size}`)
    },
  })
  const { namespace } = await running(reconciler)
  await create(namespace, 'busy', { size: 0 })
  for (let batch = 0; batch < 200; batch += 1) {
    const edits = Array.from({ length: 5 }, (_, i) =>
      change(namespace, 'busy', { spec: { size: batch * 5 + i + 1 } }),
    )
    await Promise.all(edits)
  }
  const { metadata } = await read(namespace, 'busy')
  expect(metadata.generation).toBeGreaterThan(900)
  await eventually(
    async () => (await read(namespace, 'busy')).status?.observedGeneration === metadata.generation,
    'the last edit is observed',
  )
  expect(reconciler.passesOf('busy')).toBeLessThan(500)
  expect(reconciler.overlapped).toBe(false)
})

test('a poisoned object backs off, says why without the inside, and harms no neighbour', async () => {
  const reconciler = new WidgetReconciler({
    reconcile: async (widget) => {
      if (widget.metadata.name === 'poison') throw new Error('password=hunter2')
      return { outcome: 'done', reason: 'Reconciled', message: 'well', status: {} }
    },
  })
  const { namespace, logger } = await running(reconciler, { concurrency: 1 })
  await create(namespace, 'poison')
  await eventually(() => reconciler.passesOf('poison') > 0, 'a pass over the poison')
  await Promise.all(Array.from({ length: 20 }, (_, i) => create(namespace, `good-${i}`)))
  await Promise.all(Array.from({ length: 20 }, (_, i) => untilReady(namespace, `good-${i}`)))

  const poison = await read(namespace, 'poison')
  expect(conditionOf(poison, 'Ready')).toMatchObject({ status: 'False', reason: 'ReconcileError' })
  expect(conditionOf(poison, 'Reconciling')).toMatchObject({ reason: 'ProgressingWithRetry' })
  expect(JSON.stringify(poison)).not.toContain('hunter2')
  expect(logger.lines.some((line) => line.text.includes('hunter2'))).toBe(true)
  expect(reconciler.passesOf('poison')).toBeLessThan(6)
})

test('an object that is deleted and made again is a new object', async () => {
  const reconciler = new WidgetReconciler()
  const { namespace } = await running(reconciler)
  const first = await create(namespace, 'phoenix', { size: 1 })
  await untilReady(namespace, 'phoenix')
  await admin.delete(WIDGETS, namespace, 'phoenix')
  await eventually(
    async () => (await admin.get(WIDGETS, namespace, 'phoenix')) === undefined,
    'it is gone',
  )
  const second = await create(namespace, 'phoenix', { size: 2 })
  expect(second.metadata.uid).not.toBe(first.metadata.uid)
  expect((await untilReady(namespace, 'phoenix')).status?.size).toBe(2)
  expect(reconciler.finalized).toEqual(['phoenix'])
})

test('the finalizer stays until the clean-up is done, and the status says what it waits for', async () => {
  let clean = false
  const reconciler = new WidgetReconciler({
    finalize: async () =>
      clean
        ? { outcome: 'done', reason: 'Deleted', message: 'gone' }
        : waiting('DeletionBlocked', 'A child is left: delete child/one first.', {
            conditions: [
              { type: 'DeletionBlocked', status: 'True', reason: 'Children', message: 'child/one' },
            ],
          }),
  })
  const { namespace, manager } = await running(reconciler)
  await create(namespace, 'parent')
  await untilReady(namespace, 'parent')
  await admin.delete(WIDGETS, namespace, 'parent')
  const blocked = await eventually(async () => {
    const widget = await read(namespace, 'parent')
    return conditionOf(widget, 'DeletionBlocked') && widget
  }, 'DeletionBlocked')
  expect(conditionOf(blocked, 'Ready')).toMatchObject({
    status: 'False',
    reason: 'DeletionBlocked',
  })
  expect(blocked.metadata.finalizers).toEqual(['runtime.test/widget'])

  clean = true
  manager.wake(`Widget/${namespace}/parent`, 'test')
  await eventually(
    async () => (await admin.get(WIDGETS, namespace, 'parent')) === undefined,
    'it is gone',
  )
})

test('a suspended object is left alone, its deletion is not', async () => {
  const reconciler = new WidgetReconciler()
  const { namespace } = await running(reconciler)
  await create(namespace, 'asleep', { size: 1 })
  await untilReady(namespace, 'asleep')
  await change(namespace, 'asleep', { spec: { suspend: true, size: 2 } })
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(reconciler.passesOf('asleep')).toBe(1)
  expect((await read(namespace, 'asleep')).status?.size).toBe(1)
  await change(namespace, 'asleep', { spec: { suspend: false } })
  expect((await untilReady(namespace, 'asleep')).status?.size).toBe(2)
  await change(namespace, 'asleep', { spec: { suspend: true } })
  await admin.delete(WIDGETS, namespace, 'asleep')
  await eventually(
    async () => (await admin.get(WIDGETS, namespace, 'asleep')) === undefined,
    'it is gone',
  )
  expect(reconciler.finalized).toEqual(['asleep'])
})

test('a request is answered in the status', async () => {
  const reconciler = new WidgetReconciler()
  const { namespace } = await running(reconciler)
  await create(namespace, 'asked')
  await untilReady(namespace, 'asked')
  const annotations = { 'runtime.test/reconcile-requested-at': 'now, please' }
  await change(namespace, 'asked', { metadata: { annotations } })
  await eventually(
    async () =>
      (await read(namespace, 'asked')).status?.lastHandledReconcileAt === 'now, please' &&
      reconciler.passesOf('asked') === 2,
    'the request is answered',
  )
  await change(namespace, 'asked', { metadata: { annotations: { 'somebody/else': 'x' } } })
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(reconciler.passesOf('asked')).toBe(2)
})

test('an object waits for the one that it refers to, and is woken when that is Ready', async () => {
  const reconciler = new WidgetReconciler({
    reconcile: async (widget, context) => {
      const { parent } = widget.spec
      const found = parent && context.get(`Widget/${widget.metadata.namespace}/${parent}`)
      if (parent && !(found && isReady(found))) return waiting('ParentNotReady', `${parent}?`)
      return { outcome: 'done', reason: 'Reconciled', message: 'well', status: {} }
    },
    finalize: async (_, context) => {
      const children = context.referrers()
      if (children.length > 0) return waiting('DeletionBlocked', children.join())
      return { outcome: 'done', reason: 'Deleted', message: 'gone' }
    },
  })
  const { namespace } = await running(reconciler)
  await create(namespace, 'child', { parent: 'parent' })
  await eventually(async () => {
    const ready = conditionOf(await read(namespace, 'child'), 'Ready')
    return ready?.reason === 'ParentNotReady'
  }, 'the child waits')
  await create(namespace, 'parent')
  await untilReady(namespace, 'child')

  await admin.delete(WIDGETS, namespace, 'parent')
  const blocked = await eventually(async () => {
    const ready = conditionOf(await read(namespace, 'parent'), 'Ready')
    return ready?.reason === 'DeletionBlocked' && ready
  }, 'the parent is blocked')
  expect(blocked.message).toBe(`Widget/${namespace}/child`)
  await admin.delete(WIDGETS, namespace, 'child')
  await eventually(
    async () => (await admin.get(WIDGETS, namespace, 'parent')) === undefined,
    'the parent goes after its last child',
  )
})

test('a status that the schema refuses is said, and not retried in a loop', async () => {
  const reconciler = new WidgetReconciler({
    reconcile: async () => ({
      outcome: 'done',
      reason: 'Reconciled',
      message: 'well',
      status: { size: 5000 },
    }),
  })
  const { namespace } = await running(reconciler)
  await create(namespace, 'wrong')
  const ready = await eventually(
    async () => conditionOf(await read(namespace, 'wrong'), 'Ready'),
    'it says so',
  )
  expect(ready).toMatchObject({ status: 'False', reason: 'ReconcileError' })
  expect(reconciler.passesOf('wrong')).toBeLessThan(4)
})

test('a pass that hangs is timed out and says so, and its object is not taken up meanwhile', async () => {
  let letGo = (): void => {}
  const reconciler = new WidgetReconciler({
    reconcile: async (_, context) => {
      await new Promise<void>((resolve) => {
        letGo = resolve
        context.signal.addEventListener('abort', () => resolve())
      })
      context.signal.throwIfAborted()
      return { outcome: 'done', reason: 'Reconciled', message: 'well', status: {} }
    },
  })
  const { namespace } = await running(reconciler, { reconcileTimeout: 500 })
  await create(namespace, 'stuck')
  const ready = await eventually(
    async () => conditionOf(await read(namespace, 'stuck'), 'Ready'),
    'it says so',
  )
  expect(ready.message).toBe('This takes longer than it may; it is tried again.')
  letGo()
  expect(reconciler.overlapped).toBe(false)
})

test('the series of an object goes with it, and its first Ready is measured once', async () => {
  const { namespace, registry } = await running(new WidgetReconciler())
  await create(namespace, 'seen')
  await untilReady(namespace, 'seen')
  const series = `cardea_resource_ready{kind="Widget",namespace="${namespace}",name="seen"}`
  await eventually(async () => (await registry.metrics()).includes(`${series} 1`), 'its series')
  expect(await registry.metrics()).toContain(
    'cardea_resource_first_ready_seconds_count{kind="Widget"} 1',
  )
  await admin.delete(WIDGETS, namespace, 'seen')
  await eventually(async () => !(await registry.metrics()).includes(series), 'it goes')
})
