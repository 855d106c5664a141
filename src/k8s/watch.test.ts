import type { ServerResponse } from 'node:http'
import { afterEach, describe, expect, test } from 'vitest'
import { ManualClock } from '../../test/support/manualclock.ts'
import {
  json,
  type Misbehaving,
  misbehavingServer,
  type Received,
  refusal,
  stream,
} from '../../test/support/misbehaving.ts'
import { eventually, memoryLogger } from '../../test/support/runtime.ts'
import { WIDGETS, type Widget } from '../../test/support/widget.ts'
import { KubeClient } from './client.ts'
import { systemClock } from './clock.ts'
import { Informer } from './informer.ts'
import { type Change, ObjectStore } from './store.ts'
import { Reflector } from './watch.ts'

let server: Misbehaving
let stop = new AbortController()

afterEach(async () => {
  stop.abort()
  await server.close()
})

type Handler = (response: ServerResponse, request: Received) => void

/** An informer on a server whose nth list and nth watch are answered by the nth handler, the last again. */
async function informed(
  lists: readonly Handler[],
  watches: readonly Handler[],
  options: Partial<ConstructorParameters<typeof Informer<Widget>>[0]> = {},
) {
  const counts = { list: 0, watch: 0 }
  server = await misbehavingServer((request, response) => {
    const kind = request.query.get('watch') === 'true' ? 'watch' : 'list'
    const handlers = kind === 'watch' ? watches : lists
    const handler = handlers[Math.min(counts[kind], handlers.length - 1)]
    counts[kind] += 1
    handler?.(response, request)
  })
  stop = new AbortController()
  const changes: string[] = []
  const observed = { listed: 0, failed: 0 }
  const logger = memoryLogger()
  const informer = new Informer<Widget>({
    client: KubeClient.fromKubeConfig(server.kubeConfig),
    kind: WIDGETS,
    namespaces: [],
    clock: systemClock,
    random: () => 0.5,
    logger,
    observer: { listed: () => (observed.listed += 1), failed: () => (observed.failed += 1) },
    timings: { watch: 500, grace: 200, backoff: { base: 10, max: 50 } },
    ...options,
  })
  informer.store.subscribe((change) => changes.push(told(change)))
  const running = informer.run(stop.signal)
  return { informer, changes, counts, observed, logger, running }
}

const told = ({ object, previous, deleted, initial }: Change<Widget>): string => {
  const what = deleted ? 'deleted' : previous ? 'updated' : initial ? 'listed' : 'added'
  return `${what} ${object.metadata.name}@${object.metadata.resourceVersion}`
}

const widget = (name: string, resourceVersion: string, uid = `uid-${name}`) => ({
  apiVersion: 'runtime.test/v1',
  kind: 'Widget',
  metadata: { namespace: 'ns', name, uid, resourceVersion, generation: 1 },
  spec: {},
})

const list =
  (resourceVersion: string, ...items: unknown[]): Handler =>
  (response) =>
    json(response, { metadata: { resourceVersion }, items })

const quiet: Handler = (response) => stream(response)

const isOpen = (counts: { watch: number }, n: number) => () => counts.watch >= n

describe('a list', () => {
  test('is fetched in pages, and is nothing before the last', async () => {
    const pages: Handler[] = [
      (response, { query }) => {
        expect(query.get('limit')).toBe('100')
        json(response, {
          metadata: { resourceVersion: '9', continue: 'more' },
          items: [widget('a', '1')],
        })
      },
      (response, { query }) => {
        expect(query.get('continue')).toBe('more')
        json(response, { metadata: { resourceVersion: '9' }, items: [widget('b', '2')] })
      },
    ]
    const { informer, changes, counts } = await informed(pages, [quiet])
    await eventually(isOpen(counts, 1), 'a watch')
    expect(informer.hasSynced).toBe(true)
    expect(changes).toEqual(['listed a@1', 'listed b@2'])
    expect(server.received.at(-1)?.query.get('resourceVersion')).toBe('9')
    expect(server.received.at(-1)?.query.get('allowWatchBookmarks')).toBe('true')
  })

  test.each<[string, Handler]>([
    ['with a 500', (response) => refusal(response, 500, 'InternalError')],
    ['with a cut connection', (response) => void response.socket?.destroy()],
    ['with a page of a proxy', (response) => void response.end('<html>Welcome</html>')],
    ['with a list without items', (response) => json(response, { metadata: {} })],
    ['with a list without a version', (response) => json(response, { items: [] })],
    ['with half a list', (response) => void response.end('{"metadata":{"resourceVersion":"9"},')],
    [
      'after its first page',
      (response, { query }) => {
        if (query.has('continue')) return refusal(response, 410, 'Expired')
        json(response, { metadata: { resourceVersion: '8', continue: 'more' }, items: [] })
      },
    ],
  ])('that fails %s deletes nothing and syncs nothing', async (_, failing) => {
    const relists = [
      list('5', widget('a', '1')),
      failing,
      failing,
      failing,
      list('9', widget('a', '1')),
    ]
    const expired: Handler = (response) => refusal(response, 410, 'Expired')
    const { informer, changes, counts } = await informed(relists, [expired, quiet])
    await eventually(isOpen(counts, 2), 'a second watch')
    expect(changes).toEqual(['listed a@1'])
    expect(informer.store.size).toBe(1)
  })

  test('that has not come is not synced, however often it fails', async () => {
    const { informer, observed } = await informed(
      [(r) => refusal(r, 500, 'InternalError')],
      [quiet],
    )
    await eventually(() => observed.failed >= 3, 'three failures')
    expect(informer.hasSynced).toBe(false)
  })

  test('of each namespace is needed, and touches no other', async () => {
    const byPath: Handler = (response, { path }) => {
      const [, namespace = ''] = /namespaces\/([a-z]+)\//.exec(path) ?? []
      const item = widget(namespace, '1')
      json(response, {
        metadata: { resourceVersion: '5' },
        items: [{ ...item, metadata: { ...item.metadata, namespace } }],
      })
    }
    const { informer } = await informed([byPath], [quiet], { namespaces: ['a', 'b'] })
    await eventually(() => informer.hasSynced, 'both lists')
    expect([...informer.store.values()].map((w) => w.metadata.name).sort()).toEqual(['a', 'b'])
  })
})

describe('a watch', () => {
  const added = { type: 'ADDED', object: widget('b', '6') }

  test.each<[string, Handler]>([
    ['a 410', (response) => refusal(response, 410, 'Expired')],
    [
      'a 410 in the stream',
      (response) => stream(response, { type: 'ERROR', object: { code: 410, reason: 'Expired' } }),
    ],
  ])(
    'that ends with %s is begun anew from a list, and what went meanwhile is gone',
    async (_, gone) => {
      const lists = [list('5', widget('a', '1'), widget('b', '2')), list('9', widget('b', '8'))]
      const { changes, counts } = await informed(lists, [gone, quiet])
      await eventually(isOpen(counts, 2), 'a second watch')
      expect(changes).toEqual(['listed a@1', 'listed b@2', 'deleted a@1', 'updated b@8'])
      expect(counts.list).toBe(2)
    },
  )

  test.each<[string, Handler]>([
    ['is cut', (r) => (stream(r, added), setTimeout(() => r.socket?.destroy(), 20))],
    ['ends with half an event', (r) => (stream(r, added), r.end('{"type":"MOD'))],
    ['has a line that is not JSON', (r) => (stream(r, added), r.end('oops\n'))],
    ['has an event of no known type', (r) => stream(r, added, { type: 'WHAT', object: {} })],
    ['has an event without an object', (r) => stream(r, added, { type: 'ADDED' })],
    ['has an error', (r) => stream(r, added, { type: 'ERROR', object: { code: 500 } })],
    ['falls silent', (r) => stream(r, added)],
  ])('that %s goes on from the last event, without a list', async (_, broken) => {
    const { changes, counts, observed } = await informed([list('5')], [broken, quiet])
    await eventually(isOpen(counts, 2), 'a second watch')
    expect(changes).toEqual(['added b@6'])
    expect(counts.list).toBe(1)
    expect(observed.failed).toBe(1)
    expect(server.received.at(-1)?.query.get('resourceVersion')).toBe('6')
  })

  test('goes on from a bookmark when there was no event', async () => {
    const bookmark = { type: 'BOOKMARK', object: { metadata: { resourceVersion: '77' } } }
    const { counts, changes } = await informed(
      [list('5')],
      [(r) => (stream(r, bookmark), setTimeout(() => r.end(), 1100)), quiet],
      { timings: { watch: 2000, backoff: { base: 10, max: 50 } } },
    )
    await eventually(isOpen(counts, 2), 'a second watch')
    expect(server.received.at(-1)?.query.get('resourceVersion')).toBe('77')
    expect(changes).toEqual([])
  })

  test('that ends with an error every time is not begun twenty times a second', async () => {
    const error: Handler = (r) => stream(r, { type: 'ERROR', object: { code: 500 } })
    const { counts, observed } = await informed([list('5')], [error], {
      timings: { backoff: { base: 100, max: 1000 } },
    })
    await new Promise((resolve) => setTimeout(resolve, 1500))
    expect(observed.failed).toBeGreaterThan(1)
    expect(counts.watch).toBeLessThan(7)
    // It may be the version that cannot be served: after some failures the list is fetched anew.
    expect(counts.list).toBeGreaterThan(1)
  })

  test('that ends at once, in good order, is not begun again at once', async () => {
    const { counts } = await informed([list('5')], [(r) => (stream(r), r.end())], {
      timings: { backoff: { base: 200, max: 1000 } },
    })
    await new Promise((resolve) => setTimeout(resolve, 1000))
    expect(counts.watch).toBeLessThan(6)
  })

  test('survives a handler that throws', async () => {
    const more = { type: 'ADDED', object: widget('c', '7') }
    const open: Handler = (r) => setTimeout(() => stream(r, added, more), 50)
    const { informer, changes, logger } = await informed([list('5')], [open])
    informer.store.subscribe(() => {
      throw new Error('a bad handler')
    })
    await eventually(() => changes.length === 2, 'both events')
    expect(logger.lines.filter((line) => line.text.includes('a bad handler'))).toHaveLength(2)
  })

  test('tells an object that was deleted and made again in a gap from one that was changed', async () => {
    const lists = [list('5', widget('a', '1', 'old')), list('9', widget('a', '8', 'new'))]
    const { changes, counts } = await informed(lists, [(r) => refusal(r, 410, 'Expired'), quiet])
    await eventually(isOpen(counts, 2), 'a second watch')
    expect(changes).toEqual(['listed a@1', 'deleted a@1', 'added a@8'])
  })

  test('that is dead is noticed within a minute, by the intervals that are the default', async () => {
    const clock = new ManualClock()
    let watches = 0
    const ended = new AbortController()
    const store = new ObjectStore<Widget>(() => {})
    const reflector = new Reflector<Widget>({
      client: {
        list: async () => ({ items: [], resourceVersion: '1', continue: undefined }),
        watch: async (_kind, _selection, signal) => {
          watches += 1
          return new Promise((_, reject) => {
            signal.addEventListener('abort', () => reject(new Error('cut')))
          })
        },
      },
      kind: WIDGETS,
      selection: {},
      store,
      clock,
      random: () => 0.999,
      logger: memoryLogger(),
      observer: { listed: () => {}, failed: () => {} },
    })
    const running = reflector.run(ended.signal)
    await clock.advance(60_000)
    expect(watches).toBe(2)
    ended.abort()
    await running
  })

  test('ends when it is told to, and leaves no connection', async () => {
    const { counts, running } = await informed([list('5')], [quiet])
    await eventually(isOpen(counts, 1), 'a watch')
    stop.abort()
    await running
  })
})
