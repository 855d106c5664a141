import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import {
  json,
  type Misbehaving,
  misbehavingServer,
  type Received,
  refusal,
} from '../../test/support/misbehaving.ts'
import { WIDGETS } from '../../test/support/widget.ts'
import { KubeClient } from './client.ts'
import { systemClock } from './clock.ts'
import { ApiError, TransportError } from './errors.ts'

let server: Misbehaving
let client: KubeClient

afterEach(async () => {
  await client.close()
  await server.close()
})

type Handler = (response: ServerResponse, request: Received) => void

/** A client of a server whose nth request is answered by the nth handler, the last again. */
async function clientOf(...handlers: readonly Handler[]): Promise<KubeClient> {
  let n = 0
  server = await misbehavingServer((request, response) => {
    const handler = handlers[Math.min(n, handlers.length - 1)]
    n += 1
    handler?.(response, request)
  })
  client = KubeClient.fromKubeConfig(server.kubeConfig, { random: () => 0, connections: 8 })
  return client
}

const ok: Handler = (response) =>
  json(response, { metadata: { name: 'a', namespace: 'ns', uid: 'u', resourceVersion: '1' } })
const cut: Handler = (response) => void response.socket?.destroy()
const unavailable: Handler = (response) => refusal(response, 503, 'ServiceUnavailable')
const busy: Handler = (response) =>
  refusal(response, 429, 'TooManyRequests', { 'retry-after': '0' })

const widget = {
  apiVersion: 'runtime.test/v1',
  kind: 'Widget',
  metadata: { namespace: 'ns', name: 'a' },
}
const as = { fieldManager: 'test' }

const calls: Record<string, () => Promise<unknown>> = {
  get: () => client.get(WIDGETS, 'ns', 'a'),
  apply: () => client.apply(WIDGETS, widget, as),
  'merge patch': () => client.patch(WIDGETS, 'ns', 'a', { spec: {} }, as),
  delete: () => client.delete(WIDGETS, 'ns', 'a'),
  replace: () => client.replace(WIDGETS, widget, as),
  create: () => client.create(WIDGETS, widget, as),
  'JSON patch': () => client.patch(WIDGETS, 'ns', 'a', [{ op: 'remove', path: '/spec' }], as),
}

test.each(['get', 'apply', 'merge patch', 'delete', 'replace'])(
  'a %s is sent again after a cut connection, a 503 and a 429',
  async (name) => {
    await clientOf(cut, unavailable, busy, ok)
    await calls[name]?.()
    expect(server.received).toHaveLength(4)
  },
)

test.each(['create', 'JSON patch'])(
  'a %s is sent again after a 429 only: it may have been done',
  async (name) => {
    await clientOf(busy, cut, ok)
    await expect(calls[name]?.()).rejects.toThrow(TransportError)
    expect(server.received).toHaveLength(2)
    await client.close()
    await server.close()
    await clientOf(unavailable, ok)
    await expect(calls[name]?.()).rejects.toThrow(ApiError)
    expect(server.received).toHaveLength(1)
  },
)

test.each([400, 403, 409, 422])('a %i is an answer, and not asked again', async (status) => {
  await clientOf((response) => refusal(response, status, 'Refused'), ok)
  await expect(calls['apply']?.()).rejects.toMatchObject({ status, reason: 'Refused' })
  expect(server.received).toHaveLength(1)
})

test('after some attempts it is an error', async () => {
  await clientOf(unavailable)
  await expect(client.get(WIDGETS, 'ns', 'a', { attempts: 3 })).rejects.toMatchObject({
    status: 503,
  })
  expect(server.received).toHaveLength(3)
})

test('Retry-After is kept to, and one beyond the deadline is not waited for', async () => {
  await clientOf((r) => refusal(r, 429, 'TooManyRequests', { 'retry-after': '1' }), ok)
  const began = performance.now()
  await client.get(WIDGETS, 'ns', 'a')
  expect(performance.now() - began).toBeGreaterThan(950)
  await client.close()
  await server.close()
  await clientOf((r) => refusal(r, 429, 'TooManyRequests', { 'retry-after': '3600' }), ok)
  await expect(client.get(WIDGETS, 'ns', 'a')).rejects.toMatchObject({ status: 429 })
})

test('every call ends by its deadline, whether the server is silent or dribbles', async () => {
  const dribble: Handler = (response) => {
    response.writeHead(200)
    const timer = setInterval(() => response.write(' '), 20)
    response.once('close', () => clearInterval(timer))
  }
  for (const handler of [() => {}, dribble]) {
    await clientOf(handler)
    const began = performance.now()
    const limits = { deadline: 300, attempts: 1 }
    await expect(client.get(WIDGETS, 'ns', 'a', limits)).rejects.toMatchObject({
      code: 'ETIMEDOUT',
    })
    expect(performance.now() - began).toBeLessThan(1500)
    await client.close()
    await server.close()
  }
})

test('an aborted call ends at once, with the reason, and is not sent again', async () => {
  await clientOf(() => {})
  const abort = new AbortController()
  const reason = new Error('the lease is lost')
  const call = client.get(WIDGETS, 'ns', 'a', { signal: abort.signal })
  setTimeout(() => abort.abort(reason), 50)
  await expect(call).rejects.toBe(reason)
  await expect(client.get(WIDGETS, 'ns', 'a', { signal: abort.signal })).rejects.toBe(reason)
  expect(server.received).toHaveLength(1)
})

test('a credential plug-in that never answers does not hang a call', async () => {
  await clientOf(ok)
  server.kubeConfig.applyToHTTPSOptions = () => new Promise(() => {})
  const limits = { deadline: 100, attempts: 1 }
  await expect(client.get(WIDGETS, 'ns', 'a', limits)).rejects.toMatchObject({ code: 'ETIMEDOUT' })
})

test('credentials are read again when the server does not take them, and once only', async () => {
  await clientOf((response, { headers }) => {
    if (headers.authorization === 'Bearer fresh-token') return ok(response, {} as Received)
    return refusal(response, 401, 'Unauthorized')
  })
  const [user] = server.kubeConfig.users as { token: string }[]
  await expect(client.get(WIDGETS, 'ns', 'a')).rejects.toMatchObject({ status: 401 })
  expect(server.received).toHaveLength(2)
  if (user) user.token = 'fresh-token'
  await client.get(WIDGETS, 'ns', 'a')
  expect(server.received).toHaveLength(4)
})

test('the guard is asked before every attempt: a retry may come after the lease is lost', async () => {
  await clientOf(unavailable, ok)
  let asked = 0
  const guarded = client.guarded(() => {
    asked += 1
    // Once when the write begins, once for its first attempt.
    if (asked > 2) throw new Error('lost')
  })
  await expect(guarded.apply(WIDGETS, widget, as)).rejects.toThrow('lost')
  expect(server.received).toHaveLength(1)
})

test('connections are kept, and are no more than allowed', async () => {
  await clientOf((response) => setTimeout(() => ok(response, {} as Received), 2))
  for (let i = 0; i < 10; i += 1) {
    await Promise.all(Array.from({ length: 100 }, () => client.get(WIDGETS, 'ns', 'a')))
  }
  expect(server.received).toHaveLength(1000)
  expect(server.connections()).toBeLessThanOrEqual(8)
})

test('a changed client certificate gets a new connection, and the old one is closed', async () => {
  await clientOf(ok)
  await client.get(WIDGETS, 'ns', 'a')
  const [cluster] = server.kubeConfig.clusters as { tlsServerName?: string }[]
  if (cluster) cluster.tlsServerName = 'other.test'
  let ahead = 0
  const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + ahead }
  const watchful = KubeClient.fromKubeConfig(server.kubeConfig, { clock, connections: 1 })
  await watchful.get(WIDGETS, 'ns', 'a')
  const before = server.connections()
  await watchful.get(WIDGETS, 'ns', 'a')
  expect(server.connections()).toBe(before)
  if (cluster) cluster.tlsServerName = 'another.test'
  ahead = 11_000
  await watchful.get(WIDGETS, 'ns', 'a')
  expect(server.connections()).toBe(before + 1)
  await watchful.close()
})

test('a proxy of the kubeconfig is used', async () => {
  await clientOf(ok)
  const asked: string[] = []
  const proxy = createServer((request, response) => {
    asked.push(request.url ?? '')
    ok(response, {} as Received)
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  const [cluster] = server.kubeConfig.clusters as { proxyUrl?: string; server: string }[]
  if (cluster) cluster.proxyUrl = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
  await client.get(WIDGETS, 'ns', 'a')
  expect(asked).toEqual([`${cluster?.server}/apis/runtime.test/v1/namespaces/ns/widgets/a`])
  expect(server.received).toHaveLength(0)
  proxy.close()
})

test('a plain-text server is refused unless the kubeconfig says that it is meant', async () => {
  await clientOf(ok)
  const [cluster] = server.kubeConfig.clusters as { skipTLSVerify: boolean }[]
  if (cluster) cluster.skipTLSVerify = false
  await expect(client.get(WIDGETS, 'ns', 'a', { attempts: 1 })).rejects.toThrow(TransportError)
  expect(server.received).toHaveLength(0)
})
