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

let server: Misbehaving
let manager: Manager

afterEach(async () => {
  await manager.stop(100)
  await server.close()
})

const widget = (name: string) => ({
  metadata: {
    namespace: 'ns',
    name,
    uid: `uid-${name}`,
    resourceVersion: '50',
    generation: 1,
    creationTimestamp: '2026-01-01T00:00:00Z',
    finalizers: ['runtime.test/widget'],
  },
  spec: { suspend: true },
})

const notFound = (response: ServerResponse, details: object): void =>
  json(response, { kind: 'Status', code: 404, reason: 'NotFound', message: 'no', details }, 404)

/** A manager whose list loses three Widgets between two watches, on a server that says what a test has it say of each. */
async function losing(
  relisted: string,
  saysOf: Record<string, (response: ServerResponse) => void>,
) {
  let lists = 0
  server = await misbehavingServer((request, response) => {
    if (request.query.has('watch')) {
      return lists === 1 ? refusal(response, 410, 'Expired') : stream(response)
    }
    const [, name = ''] = /\/widgets\/(.+)$/.exec(request.path) ?? []
    if (name !== '') return saysOf[name]?.(response)
    lists += 1
    const items = lists === 1 ? Object.keys(saysOf).map(widget) : []
    json(response, { metadata: { resourceVersion: lists === 1 ? '100' : relisted }, items })
  })
  const reconciler = new WidgetReconciler()
  const client = KubeClient.fromKubeConfig(server.kubeConfig)
  const watchTimings = { backoff: { base: 10, max: 50 } }
  ;({ manager } = testManager(client, { watchTimings }))
  const store = manager.add(reconciler)
  await manager.start(() => {})
  await eventually(() => lists === 2 && store.size === 0, 'the second list')
  return reconciler
}

const asked = (name: string) => () =>
  server.received.some(({ path }) => path.endsWith(`/widgets/${name}`))

test('what a list lacks is finalized when the server says of that object that there is none', async () => {
  const reconciler = await losing('200', {
    gone: (r) => notFound(r, { group: 'runtime.test', kind: 'widgets', name: 'gone' }),
    there: (r) => json(r, widget('there')),
    unserved: (r) => notFound(r, {}),
    misled: (r) => notFound(r, { group: 'runtime.test', kind: 'widgets', name: 'other' }),
    nowhere: (r) => void r.writeHead(404).end('404 page not found\n'),
    hidden: (r) => refusal(r, 403, 'Forbidden'),
  })
  for (const name of ['there', 'unserved', 'misled', 'nowhere', 'hidden']) {
    await eventually(asked(name), `a question about ${name}`)
  }
  await eventually(() => reconciler.finalized.length > 0, 'one is finalized')
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(reconciler.finalized).toEqual(['gone'])
})

test('what a server lacks that was restored from a backup is left alone', async () => {
  const none = (r: ServerResponse) =>
    notFound(r, { group: 'runtime.test', kind: 'widgets', name: 'later' })
  const reconciler = await losing('60', { later: none })
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(reconciler.finalized).toEqual([])
  expect(asked('later')()).toBe(false)
})
