import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { KubeConfig } from '@kubernetes/client-node'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { KubeClient } from '../../src/k8s/client.ts'
import { ApiError, isConflict, LeaseLostError } from '../../src/k8s/errors.ts'
import { SECRETS } from '../../src/k8s/secret.ts'
import { testCluster } from '../support/controlplane.ts'
import { loadKubeConfig, widgetClient } from '../support/runtime.ts'
import { temporaryDirectory } from '../support/servers.ts'
import { aWidget, WIDGETS, type Widget } from '../support/widget.ts'

const cluster = testCluster()
let client: KubeClient
let namespace: string

beforeAll(async () => {
  client = await widgetClient(cluster.kubeconfig)
  namespace = await cluster.namespace()
})

afterAll(() => client.close())

const manager = { fieldManager: 'test' }

/** What a promise is rejected with. */
async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.unreachable('it was not refused'),
    (error: unknown) => error,
  )
}

test('a thousand requests share a few connections', async () => {
  let connections = 0
  const count = (): void => {
    connections += 1
  }
  subscribe('undici:client:connected', count)
  try {
    const fresh = KubeClient.fromKubeConfig(loadKubeConfig(cluster.kubeconfig), { connections: 4 })
    for (let batch = 0; batch < 20; batch += 1) {
      const reads = Array.from({ length: 50 }, () => fresh.get(SECRETS, namespace, 'none'))
      expect(await Promise.all(reads)).toEqual(Array.from({ length: 50 }))
    }
    await fresh.close()
  } finally {
    unsubscribe('undici:client:connected', count)
  }
  expect(connections).toBeGreaterThan(0)
  expect(connections).toBeLessThanOrEqual(4)
})

test('an object comes without what only fills memory', async () => {
  const made = await client.create<Widget>(
    WIDGETS,
    {
      ...aWidget(namespace, 'lean'),
      metadata: {
        namespace,
        name: 'lean',
        annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{}', kept: 'yes' },
      },
    },
    manager,
  )
  expect(made.metadata).not.toHaveProperty('managedFields')
  expect(made.metadata.annotations).toEqual({ kept: 'yes' })
  const { items } = await client.list<Widget>(WIDGETS, { namespace })
  expect(items[0]).toEqual(made)
})

test('what is not there is a value, and not an error', async () => {
  expect(await client.get(WIDGETS, namespace, 'none')).toBeUndefined()
  expect(await client.delete(WIDGETS, namespace, 'none')).toBe('absent')
})

test('server-side apply makes, changes, and refuses what another manager owns', async () => {
  const widget = aWidget(namespace, 'applied', { size: 1 })
  const made = await client.apply<Widget>(WIDGETS, widget, { fieldManager: 'a' })
  expect(made.spec.size).toBe(1)
  const other = aWidget(namespace, 'applied', { size: 2 })
  const refusal = await errorOf(client.apply(WIDGETS, other, { fieldManager: 'b', force: false }))
  expect(isConflict(refusal)).toBe(true)
  const forced = await client.apply<Widget>(WIDGETS, other, { fieldManager: 'b', force: true })
  expect(forced.spec.size).toBe(2)
})

test('an apply with a resource version never makes a status on another object of the same name', async () => {
  const { metadata } = await client.create<Widget>(WIDGETS, aWidget(namespace, 'old'), manager)
  const { resourceVersion } = metadata
  const late = {
    ...aWidget(namespace, 'old'),
    metadata: { namespace, name: 'old', resourceVersion },
    status: { observedGeneration: 1 },
  }
  const apply = () => client.apply(WIDGETS, late, { ...manager, subresource: 'status' })
  await client.delete(WIDGETS, namespace, 'old')
  expect(await errorOf(apply())).toMatchObject({ status: 404 })
  await client.create(WIDGETS, aWidget(namespace, 'old'), manager)
  // A uid would not do: for a status subresource the API server does not compare it.
  expect(isConflict(await errorOf(apply()))).toBe(true)
  const now = await client.get<Widget>(WIDGETS, namespace, 'old')
  expect(now?.status?.observedGeneration).toBe(-1)
})

test('a guarded patch and a guarded delete are refused for an object that was changed', async () => {
  const { metadata } = await client.create<Widget>(WIDGETS, aWidget(namespace, 'guarded'), manager)
  const guard = { uid: metadata.uid, resourceVersion: metadata.resourceVersion }
  await client.patch(WIDGETS, namespace, 'guarded', { spec: { size: 7 } }, manager)
  const patch = { metadata: { ...guard, finalizers: ['runtime.test/widget'] } }
  expect(
    isConflict(await errorOf(client.patch(WIDGETS, namespace, 'guarded', patch, manager))),
  ).toBe(true)
  expect(isConflict(await errorOf(client.delete(WIDGETS, namespace, 'guarded', guard)))).toBe(true)
  expect(await client.delete(WIDGETS, namespace, 'guarded', { uid: metadata.uid })).toBe('deleted')
})

test('a JSON patch is sent as one', async () => {
  await client.create<Widget>(WIDGETS, aWidget(namespace, 'patched'), manager)
  const patch = [{ op: 'add', path: '/spec/size', value: 9 }]
  const patched = await client.patch<Widget>(WIDGETS, namespace, 'patched', patch, manager)
  expect(patched.spec.size).toBe(9)
})

test('a list comes in pages of one version, and a watch goes on from there', async () => {
  const apart = await cluster.namespace()
  const names = Array.from({ length: 7 }, (_, i) => `w${i}`)
  for (const name of names) await client.create(WIDGETS, aWidget(apart, name), manager)
  const seen: string[] = []
  const versions = new Set<string>()
  let next: string | undefined
  do {
    const page = await client.list<Widget>(WIDGETS, { namespace: apart, limit: 3, continue: next })
    seen.push(...page.items.map((item) => item.metadata.name))
    versions.add(page.resourceVersion)
    next = page.continue
  } while (next !== undefined)
  expect(seen).toEqual(names)
  expect(versions.size).toBe(1)

  await client.create(WIDGETS, aWidget(apart, 'after'), manager)
  const [resourceVersion = ''] = versions
  const selection = { namespace: apart, resourceVersion, timeoutSeconds: 1 }
  const events = await client.watch<Widget>(WIDGETS, selection, new AbortController().signal)
  const names2: string[] = []
  for await (const event of events)
    if (event.type === 'ADDED') names2.push(event.object.metadata.name)
  expect(names2).toEqual(['after'])
})

test.each(['..', 'a/../../secrets/x', 'a%2f..', '', 'a b'])(
  'the name %j does not become a path',
  async (name) => {
    await expect(client.get(WIDGETS, namespace, name)).rejects.toThrow(RangeError)
    await expect(client.get(WIDGETS, name, 'x')).rejects.toThrow(RangeError)
  },
)

test('people are told the code of a refusal, and not the value that was refused', async () => {
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { namespace, name: 'bad' },
    data: { key: 'hunter2!' },
  }
  const error = await errorOf(client.create(SECRETS, secret, manager))
  expect(error).toBeInstanceOf(ApiError)
  expect((error as ApiError).publicMessage).toMatch(
    /refused to create secrets bad \(400 BadRequest\)/,
  )
  expect((error as ApiError).publicMessage).not.toContain('hunter2')
})

test('a write is not made when the guard forbids it, and a read is', async () => {
  const before = client.writeCount
  const guarded = client.guarded(() => {
    throw new LeaseLostError('not leading')
  })
  const widget = aWidget(namespace, 'forbidden')
  await expect(guarded.create(WIDGETS, widget, manager)).rejects.toThrow(LeaseLostError)
  await expect(guarded.apply(WIDGETS, widget, manager)).rejects.toThrow(LeaseLostError)
  await expect(guarded.delete(WIDGETS, namespace, 'forbidden')).rejects.toThrow(LeaseLostError)
  expect(await guarded.get(WIDGETS, namespace, 'forbidden')).toBeUndefined()
  expect(client.writeCount).toBe(before)
})

test('a token that is rotated in its file is read anew when the old one is refused', async () => {
  const tokenFile = path.join(temporaryDirectory('token'), 'token')
  writeFileSync(tokenFile, 'stale\n')
  const kubeConfig = new KubeConfig()
  kubeConfig.loadFromOptions({
    clusters: [{ name: 'c', server: cluster.server, caData: btoa(cluster.ca) }],
    users: [{ name: 'u', authProvider: { name: 'tokenFile', config: { tokenFile } } }],
    contexts: [{ name: 'x', cluster: 'c', user: 'u' }],
    currentContext: 'x',
  })
  const rotating = KubeClient.fromKubeConfig(kubeConfig)
  expect(await errorOf(rotating.get(SECRETS, namespace, 'none'))).toMatchObject({ status: 401 })
  writeFileSync(tokenFile, `${cluster.adminToken}\n`)
  // client-node itself keeps a token for a minute.
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 61_000 })
  try {
    expect(await rotating.get(SECRETS, namespace, 'none')).toBeUndefined()
  } finally {
    vi.useRealTimers()
    await rotating.close()
  }
})
