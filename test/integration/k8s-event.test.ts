import { beforeAll, expect, test } from 'vitest'
import type { KubeClient } from '../../src/k8s/client.ts'
import { systemClock } from '../../src/k8s/clock.ts'
import { EventRecorder } from '../../src/k8s/event.ts'
import type { KubeObject } from '../../src/k8s/object.ts'
import { testCluster } from '../support/controlplane.ts'
import { eventually, memoryLogger, testManager, widgetClient } from '../support/runtime.ts'
import { aWidget, WIDGETS, type Widget, WidgetReconciler } from '../support/widget.ts'

const cluster = testCluster()
let client: KubeClient

beforeAll(async () => {
  client = await widgetClient(cluster.kubeconfig)
})

interface EventObject extends KubeObject {
  readonly type: string
  readonly reason: string
  readonly note: string
  readonly eventTime: string
  readonly series?: { readonly count: number; readonly lastObservedTime: string }
}

const EVENTS = {
  group: 'events.k8s.io',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  namespaced: true,
}

const eventsIn = async (namespace: string) =>
  (await client.list<EventObject>(EVENTS, { namespace })).items

test('an event is recorded once, and what repeats is counted in its series', async () => {
  const namespace = await cluster.namespace()
  const logger = memoryLogger()
  let dropped = 0
  const recorder = new EventRecorder({
    client,
    clock: systemClock,
    logger,
    reportingController: 'runtime.test/operator',
    reportingInstance: 'replica-1',
    fieldManager: 'test-operator',
    onDropped: () => {
      dropped += 1
    },
    limits: { flush: 200 },
  })
  const about = await client.create<Widget>(WIDGETS, aWidget(namespace, 'noisy'), {
    fieldManager: 'test',
  })
  const repair = { type: 'Normal', reason: 'DriftRepaired', action: 'Repair' } as const
  for (let i = 0; i < 50; i += 1)
    recorder.record(about, { ...repair, note: 'The row was repaired.' })
  recorder.record(about, { ...repair, note: 'The Secret was repaired.' })
  await eventually(async () => {
    const events = await eventsIn(namespace)
    return events.some((event) => event.series?.count === 50)
  }, 'the series is counted')
  const events = await eventsIn(namespace)
  expect(events.map((event) => event.note).sort()).toEqual([
    'The Secret was repaired.',
    'The row was repaired.',
  ])
  expect(events[0]?.eventTime).toMatch(/\.\d{6}Z$/)
  expect(await cluster.kubectl(['-n', namespace, 'describe', 'widget/noisy'])).toContain(
    'The row was repaired.',
  )
  await recorder.stop()
  expect(dropped).toBe(0)
})

test('becoming stalled is a warning, recovering is news, and the first Ready is neither', async () => {
  const namespace = await cluster.namespace()
  const reconciler = new WidgetReconciler({
    reconcile: async (widget) =>
      widget.spec.size === 13
        ? { outcome: 'stalled', reason: 'Unlucky', message: 'Choose another size than 13.' }
        : { outcome: 'done', reason: 'Reconciled', message: 'The size is fine.', status: {} },
  })
  const { manager } = testManager(await widgetClient(cluster.kubeconfig), {
    namespaces: [namespace],
  })
  manager.add(reconciler)
  await manager.start(() => {})
  const set = async (size: number, reason: string) => {
    await client.apply(WIDGETS, aWidget(namespace, 'moody', { size }), { fieldManager: 'test' })
    await eventually(async () => {
      const widget = await client.get<Widget>(WIDGETS, namespace, 'moody')
      const ready = widget?.status?.conditions?.find((c) => c.type === 'Ready')
      return ready?.reason === reason
    }, reason)
  }
  await set(1, 'Reconciled')
  await set(13, 'Unlucky')
  await set(2, 'Reconciled')
  await manager.stop(1000)
  const told = (await eventsIn(namespace)).map(
    ({ type, reason, note }) => `${type} ${reason}: ${note}`,
  )
  expect(told.sort()).toEqual([
    'Normal Reconciled: The size is fine.',
    'Warning Unlucky: Choose another size than 13.',
  ])
})
