import { afterAll, beforeAll, expect, test } from 'vitest'
import type { KubeClient } from '../../src/k8s/client.ts'
import { isReady } from '../../src/k8s/object.ts'
import { startControlPlane } from '../support/controlplane.ts'
import { eventually, testManager, widgetClient } from '../support/runtime.ts'
import { aWidget, WIDGETS, type Widget, WidgetReconciler } from '../support/widget.ts'

/** The time within which everything must work again, without a restart of ours. */
const RECOVERY = 60_000

let plane: Awaited<ReturnType<typeof startControlPlane>>
let admin: KubeClient
const reconciler = new WidgetReconciler()
let manager: ReturnType<typeof testManager>['manager']
let lost = 0

beforeAll(async () => {
  plane = await startControlPlane()
  admin = await widgetClient(plane.kubeconfig)
  const client = await widgetClient(plane.kubeconfig)
  manager = testManager(client, { lease: { namespace: 'default', name: 'operator' } }).manager
  manager.add(reconciler)
  await manager.start(() => {
    lost += 1
  })
})

afterAll(async () => {
  await manager?.stop(1000)
  await plane?.stop()
})

/** A widget that is made now is Ready within the time to recover. */
async function worksAgain(name: string): Promise<void> {
  await eventually(
    () =>
      admin
        .create(WIDGETS, aWidget('default', name), { fieldManager: 'test', deadline: 3000 })
        .then(() => true)
        .catch(() => false),
    `${name} is made`,
    RECOVERY,
  )
  await eventually(
    async () => {
      const widget = await admin.get<Widget>(WIDGETS, 'default', name).catch(() => undefined)
      return widget !== undefined && isReady(widget)
    },
    `${name} is Ready`,
    RECOVERY,
  )
}

test('everything works before', () => worksAgain('before'))

test('it recovers from a restart of the API server, and nothing is reconciled for nothing', async () => {
  await plane.restartApiServer()
  await worksAgain('after-restart')
  expect(reconciler.passesOf('before')).toBe(1)
  expect(lost).toBe(0)
})

test(
  'it recovers from an API server that is silent and keeps its connections open',
  async () => {
    const resume = plane.pauseApiServer()
    await new Promise((resolve) => setTimeout(resolve, 15_000))
    expect(manager.isLeading).toBe(false)
    resume()
    await worksAgain('after-silence')
    expect(manager.isLeading).toBe(true)
    expect(lost).toBe(0)
  },
  2 * RECOVERY,
)
