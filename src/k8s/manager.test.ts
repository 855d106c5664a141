import type { ServerResponse } from 'node:http'
import { afterEach, expect, test } from 'vitest'
import {
  json,
  type Misbehaving,
  misbehavingServer,
  refusal,
  stream,
} from '../../test/support/misbehaving.ts'
import { eventually, testManager } from '../../test/support/runtime.ts'
import { WidgetReconciler } from '../../test/support/widget.ts'
import { KubeClient } from './client.ts'
import type { Manager } from './manager.ts'
import { SECRETS } from './secret.ts'

let server: Misbehaving
let manager: Manager

afterEach(async () => {
  await manager.stop(100)
  await server.close()
})

const widget = {
  metadata: {
    namespace: 'ns',
    name: 'a',
    uid: 'u',
    resourceVersion: '1',
    generation: 1,
    creationTimestamp: '2026-01-01T00:00:00Z',
    finalizers: ['runtime.test/widget'],
  },
  spec: {},
}

/** A manager of Widgets and Secrets, on a server whose list of Secrets a test answers. */
async function managed(secrets: (response: ServerResponse) => void) {
  server = await misbehavingServer((request, response) => {
    if (request.query.has('watch')) return stream(response)
    if (request.method !== 'GET') return json(response, { ...widget, ...JSON.parse(request.body) })
    if (request.path.endsWith('/secrets')) return secrets(response)
    return json(response, { metadata: { resourceVersion: '5' }, items: [widget] })
  })
  const reconciler = new WidgetReconciler()
  const client = KubeClient.fromKubeConfig(server.kubeConfig)
  const timings = { backoff: { base: 10, max: 50 } }
  const made = testManager(client, { watchTimings: timings })
  manager = made.manager
  manager.add(reconciler)
  manager.watch(SECRETS, 'owner=us')
  return { reconciler, client, registry: made.registry }
}

test('nothing is reconciled, and it is not ready, before every cache is full', async () => {
  let broken = true
  const { reconciler, client, registry } = await managed((response) =>
    broken
      ? refusal(response, 500, 'InternalError')
      : json(response, { metadata: { resourceVersion: '5' }, items: [] }),
  )
  const starting = manager.start(() => {})
  await eventually(
    async () =>
      /cardea_reflector_watch_errors_total\{kind="Secret"\} [3-9]/.test(await registry.metrics()),
    'some failures',
  )
  expect(reconciler.passes).toEqual([])
  expect(manager.hasSynced).toBe(false)
  broken = false
  await starting
  await eventually(() => reconciler.passes.length === 1, 'the pass')
  expect(manager.hasSynced).toBe(true)
  expect(client.writeCount).toBe(1)
})

test('it can be stopped before its caches are full', async () => {
  const { reconciler } = await managed(() => {})
  const starting = manager.start(() => {})
  await manager.stop(100)
  await starting
  expect(reconciler.passes).toEqual([])
})

test('Secrets are listed and watched by their label only', async () => {
  await managed((response) => json(response, { metadata: { resourceVersion: '5' }, items: [] }))
  await manager.start(() => {})
  const secrets = () => server.received.filter((request) => request.path.endsWith('/secrets'))
  await eventually(() => secrets().length >= 2, 'a list and a watch')
  for (const { query } of secrets()) expect(query.get('labelSelector')).toBe('owner=us')
})

test('a wake-up for what is not there is no pass', async () => {
  const { reconciler } = await managed((response) =>
    json(response, { metadata: { resourceVersion: '5' }, items: [] }),
  )
  await manager.start(() => {})
  await eventually(() => reconciler.passes.length === 1, 'the first pass')
  for (const key of ['Widget/ns/none', 'Gadget/ns/a', 'Secret/ns/a', '', '///']) {
    manager.wake(key, 'test')
  }
  manager.wake('Widget/ns/a', 'test')
  await eventually(() => reconciler.passes.length === 2, 'the second pass')
  expect(reconciler.passes.map((pass) => pass.name)).toEqual(['a', 'a'])
})
