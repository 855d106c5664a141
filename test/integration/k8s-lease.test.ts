import { afterEach, beforeAll, expect, test } from 'vitest'
import { KubeClient } from '../../src/k8s/client.ts'
import { systemClock } from '../../src/k8s/clock.ts'
import { LeaseLostError } from '../../src/k8s/errors.ts'
import { Lease, type LeaseOptions } from '../../src/k8s/lease.ts'
import type { KubeObject } from '../../src/k8s/object.ts'
import { testCluster } from '../support/controlplane.ts'
import {
  eventually,
  loadKubeConfig,
  memoryLogger,
  testManager,
  widgetClient,
} from '../support/runtime.ts'
import { aWidget, WIDGETS, WidgetReconciler } from '../support/widget.ts'

const cluster = testCluster()
let client: KubeClient
let namespace: string
const leases: Lease[] = []

beforeAll(async () => {
  client = await widgetClient(cluster.kubeconfig)
})

afterEach(async () => {
  await Promise.all(leases.splice(0).map((lease) => lease.stop()))
})

const timings = { duration: 3000, renewDeadline: 2000, retry: 200 }

/** A replica that stands for election, and the clock by which it lives. */
function replica(identity: string, options: Partial<LeaseOptions> = {}) {
  let paused = 0
  const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + paused }
  const told = { started: 0, lost: 0 }
  const lease = new Lease({
    client,
    namespace,
    name: 'operator',
    identity,
    clock,
    random: Math.random,
    timings,
    logger: memoryLogger(),
    ...options,
  })
  leases.push(lease)
  lease.start({
    onStartedLeading: () => {
      told.started += 1
    },
    onLost: () => {
      told.lost += 1
    },
  })
  /** As SIGSTOP does: time goes by and nothing of this replica runs. */
  const jump = (ms: number): void => {
    paused += ms
  }
  return { lease, told, jump }
}

const record = async () => {
  const kind = { group: 'coordination.k8s.io', version: 'v1', kind: 'Lease', plural: 'leases' }
  const lease = await client.get<KubeObject & { spec: Record<string, unknown> }>(
    { ...kind, namespaced: true },
    namespace,
    'operator',
  )
  return lease?.spec ?? {}
}

test('one of two leads; giving the lease back makes the other lead at once', async () => {
  namespace = await cluster.namespace()
  const a = replica('a')
  await eventually(() => a.lease.isLeading(), 'a leads')
  const b = replica('b')
  await new Promise((resolve) => setTimeout(resolve, 500))
  expect(b.lease.isLeading()).toBe(false)
  expect(() => b.lease.guard()).toThrow(LeaseLostError)
  expect(await record()).toMatchObject({ holderIdentity: 'a', leaseTransitions: 0 })
  expect((await record())['renewTime']).toMatch(/\.\d{6}Z$/)

  const released = performance.now()
  await a.lease.stop()
  expect(a.lease.isLeading()).toBe(false)
  await eventually(() => b.lease.isLeading(), 'b leads')
  expect(performance.now() - released).toBeLessThan(timings.duration)
  expect(await record()).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 })
  expect(a.told).toEqual({ started: 1, lost: 0 })
})

test('a leader that was paused knows that it does not lead before any timer has run', async () => {
  namespace = await cluster.namespace()
  const a = replica('a')
  await eventually(() => a.lease.isLeading(), 'a leads')
  a.jump(10_000)
  expect(a.lease.isLeading()).toBe(false)
  expect(() => a.lease.guard()).toThrow(LeaseLostError)
  // Nobody took it meanwhile: it goes on without a restart.
  await eventually(() => a.lease.isLeading(), 'a leads again')
  expect(a.told).toEqual({ started: 1, lost: 0 })
})

test('a leader that finds another in its place is told that it has lost', async () => {
  namespace = await cluster.namespace()
  let cut = false
  const severed = new Proxy(client, {
    get: (target, name) => {
      if (cut) throw new Error('no network')
      const member: unknown = Reflect.get(target, name)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
  const a = replica('a', { client: severed })
  await eventually(() => a.lease.isLeading(), 'a leads')
  cut = true
  const b = replica('b')
  await eventually(() => b.lease.isLeading(), 'b leads')
  expect(a.lease.isLeading()).toBe(false)
  cut = false
  await eventually(() => a.told.lost === 1, 'a has lost')
  expect(b.told).toEqual({ started: 1, lost: 0 })
})

test('nothing is led before the fence is acquired, and a fence that is refused gives the lease back', async () => {
  namespace = await cluster.namespace()
  const refusing = replica('a', { acquireFence: () => Promise.reject(new Error('database')) })
  await eventually(async () => (await record())['holderIdentity'] === '', 'it is given back')
  expect(refusing.told.started).toBe(0)
  await refusing.lease.stop()

  let open = (): void => {}
  const slow = replica('b', {
    acquireFence: () =>
      new Promise<void>((resolve) => {
        open = resolve
      }),
  })
  await eventually(async () => (await record())['holderIdentity'] === 'b', 'b holds the lease')
  await new Promise((resolve) => setTimeout(resolve, 500))
  expect(slow.lease.isLeading()).toBe(false)
  open()
  await eventually(() => slow.lease.isLeading(), 'b leads')
})

test('the operator needs no more than create, get and update on its lease', async () => {
  const operator = KubeClient.fromKubeConfig(loadKubeConfig(cluster.operatorKubeconfig))
  namespace = 'cardea-system'
  const lease = replica('test', { client: operator, name: 'cardea-operator' })
  await eventually(() => lease.lease.isLeading(), 'it leads')
  await lease.lease.stop()
  await operator.close()
})

test('stopping drains what is under way, begins nothing more, and gives the lease back', async () => {
  namespace = await cluster.namespace()
  let finished = 0
  const reconciler = new WidgetReconciler({
    reconcile: async () => {
      await new Promise((resolve) => setTimeout(resolve, 700))
      finished += 1
      return { outcome: 'done', reason: 'Reconciled', message: 'well', status: {} }
    },
  })
  const own = await widgetClient(cluster.kubeconfig)
  const { manager } = testManager(own, {
    namespaces: [namespace],
    lease: { namespace, name: 'operator', timings },
    concurrency: 1,
  })
  manager.add(reconciler)
  await manager.start(() => {})
  await eventually(() => manager.isLeading, 'it leads')
  for (const name of ['first', 'second']) {
    await client.create(WIDGETS, aWidget(namespace, name), { fieldManager: 'test' })
  }
  await eventually(() => reconciler.active.size > 0, 'a pass begins')
  await manager.stop(5000)
  expect(finished).toBe(1)
  expect(reconciler.passes.length).toBe(1)
  expect((await record())['holderIdentity']).toBe('')
  const worked = reconciler.passes[0]?.name ?? ''
  expect(await client.get(WIDGETS, namespace, worked)).toMatchObject({
    status: { observedGeneration: 1 },
  })
})

test('a pass that does not end is aborted when the time to drain is over', async () => {
  namespace = await cluster.namespace()
  const reconciler = new WidgetReconciler({
    reconcile: (_, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason))
      }),
  })
  const own = await widgetClient(cluster.kubeconfig)
  const { manager } = testManager(own, { namespaces: [namespace] })
  manager.add(reconciler)
  await manager.start(() => {})
  await client.create(WIDGETS, aWidget(namespace, 'endless'), { fieldManager: 'test' })
  await eventually(() => reconciler.active.size > 0, 'a pass begins')
  const stopping = performance.now()
  await manager.stop(300)
  expect(performance.now() - stopping).toBeLessThan(3000)
  // It was not the object's fault.
  expect(await client.get(WIDGETS, namespace, 'endless')).toMatchObject({
    status: { observedGeneration: -1 },
  })
})

test('a standby keeps its cache and writes nothing', async () => {
  namespace = await cluster.namespace()
  const leader = replica('leader')
  await eventually(() => leader.lease.isLeading(), 'another leads')
  const own = await widgetClient(cluster.kubeconfig)
  own.writes.clear()
  const reconciler = new WidgetReconciler()
  const { manager } = testManager(own, {
    namespaces: [namespace],
    lease: { namespace, name: 'operator', timings },
  })
  manager.add(reconciler)
  await manager.start(() => {})
  await client.create(WIDGETS, aWidget(namespace, 'waits'), { fieldManager: 'test' })
  await new Promise((resolve) => setTimeout(resolve, 500))
  expect(manager.hasSynced).toBe(true)
  expect(reconciler.passes).toEqual([])
  expect(own.writeCount).toBe(0)
  await leader.lease.stop()
  await eventually(() => reconciler.passes.length === 1, 'it takes over')
  await manager.stop(1000)
})
