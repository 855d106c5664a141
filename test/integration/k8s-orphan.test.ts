import type { Registry } from 'prom-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { KubeClient } from '../../src/k8s/client.ts'
import type { Manager } from '../../src/k8s/manager.ts'
import { isReady, type ResourceKind } from '../../src/k8s/object.ts'
import { done, waiting } from '../../src/k8s/reconciler.ts'
import { startControlPlane } from '../support/controlplane.ts'
import { eventually, testManager, widgetClient } from '../support/runtime.ts'
import { aWidget, WIDGETS, type Widget, WidgetReconciler } from '../support/widget.ts'

/** On a control plane of its own: a kind is taken away here. */
let plane: Awaited<ReturnType<typeof startControlPlane>>
let admin: KubeClient
let manager: Manager
let registry: Registry
let reconciler: WidgetReconciler

const last = new Map<string, Widget>()
const ns = 'default'

beforeAll(async () => {
  plane = await startControlPlane()
  admin = await widgetClient(plane.kubeconfig)
  reconciler = new WidgetReconciler({
    reconcile: async ({ spec }) => done('well', { status: { id: 'w', size: spec.size ?? 0 } }),
    finalize: async (widget, context) => {
      last.set(widget.metadata.name, widget)
      const children = context.referrers()
      return children.length > 0 ? waiting('DeletionBlocked', children.join()) : done('gone')
    },
  })
  const watchTimings = { backoff: { base: 50, max: 500 } }
  ;({ manager, registry } = testManager(await widgetClient(plane.kubeconfig), { watchTimings }))
  manager.add(reconciler)
  await manager.start(() => {})
})

afterAll(async () => {
  await manager.stop(1000)
  await plane.stop()
})

const change = (name: string, patch: object, kind = WIDGETS) =>
  admin.patch(kind, ns, name, patch, { fieldManager: 'test' })

const finalized = (name: string) => reconciler.finalized.filter((one) => one === name).length

async function made(name: string, spec: Widget['spec'] = {}): Promise<void> {
  await admin.create<Widget>(WIDGETS, aWidget(ns, name, spec), { fieldManager: 'test' })
  await eventually(async () => {
    const widget = await admin.get<Widget>(WIDGETS, ns, name)
    return widget && isReady(widget)
  }, `${name} is Ready`)
}

/** As people do to a deletion that hangs. */
async function force(name: string): Promise<void> {
  await change(name, { spec: { suspend: true } })
  await change(name, { metadata: { finalizers: null } })
  await admin.delete(WIDGETS, ns, name)
}

const aWhile = () => new Promise((resolve) => setTimeout(resolve, 700))

test('what is deleted without its finalizer is finalized as it was last known', async () => {
  await made('forced', { size: 1 })
  await change('forced', { spec: { size: 2 } })
  await force('forced')
  await eventually(() => finalized('forced') > 0, 'it is finalized')
  expect(last.get('forced')?.spec).toEqual({ size: 2, suspend: true })
  await aWhile()
  expect(finalized('forced')).toBe(1)
})

test('so is one whose deletion waits, and whose finalizer is taken away then', async () => {
  await made('parent')
  await made('child', { parent: 'parent' })
  await admin.delete(WIDGETS, ns, 'parent')
  await eventually(() => finalized('parent') === 1, 'its deletion is blocked')
  await change('parent', { metadata: { finalizers: null } })
  await eventually(() => finalized('parent') > 1, 'it is asked again')
  expect(await admin.get(WIDGETS, ns, 'parent')).toBeUndefined()
  await admin.delete(WIDGETS, ns, 'child')
  await eventually(() => finalized('child') === 1, 'its child goes')
  await aWhile()
  const end = finalized('parent')
  manager.wake(`Widget/${ns}/parent`, 'test')
  await aWhile()
  expect(finalized('parent')).toBe(end)
})

test('an ordinary deletion is finalized once', async () => {
  await made('ordinary')
  await admin.delete(WIDGETS, ns, 'ordinary')
  await eventually(async () => !(await admin.get(WIDGETS, ns, 'ordinary')), 'it is gone')
  await aWhile()
  expect(finalized('ordinary')).toBe(1)
})

test('one that is made again at once under the name is reconciled', async () => {
  await made('again', { size: 1 })
  await force('again')
  await made('again', { size: 2 })
  expect((await admin.get<Widget>(WIDGETS, ns, 'again'))?.status?.size).toBe(2)
})

const CRDS: ResourceKind = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  namespaced: false,
}

test('that the kind itself is gone is no deletion of its objects', async () => {
  await made('kept', { size: 1 })
  const serve = (served: boolean) =>
    admin.patch(
      CRDS,
      '',
      'widgets.runtime.test',
      [{ op: 'replace', path: '/spec/versions/0/served', value: served }],
      { fieldManager: 'test' },
    )
  const errors = /relists_total\{kind="Widget"\} (\d+)/
  const relists = async () => Number(errors.exec(await registry.metrics())?.[1])
  const before = await relists()
  await serve(false)
  await eventually(async () => (await relists()) > before + 1, 'lists that fail', 60_000)
  await expect(admin.get(WIDGETS, ns, 'kept')).rejects.toThrow(/404/)
  expect(finalized('kept')).toBe(0)
  await serve(true)
  await eventually(() => change('kept', { spec: { size: 2 } }).catch(() => false), 'it is served')
  await eventually(
    async () => (await admin.get<Widget>(WIDGETS, ns, 'kept'))?.status?.size === 2,
    'it is reconciled as ever',
    60_000,
  )
  expect(finalized('kept')).toBe(0)
})
