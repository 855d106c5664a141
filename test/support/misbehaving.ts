import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { KubeConfig } from '@kubernetes/client-node'

export interface Received {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** An API server that does what a test tells it, on real sockets. */
export interface Misbehaving {
  readonly kubeConfig: KubeConfig
  readonly received: Received[]
  /** Connections that were opened. */
  readonly connections: () => number
  close(): Promise<void>
}

export async function misbehavingServer(
  answer: (request: Received, response: ServerResponse) => void,
): Promise<Misbehaving> {
  const received: Received[] = []
  let connections = 0
  const take = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk as Buffer)
    const url = new URL(incoming.url ?? '/', 'http://server')
    const request = {
      method: incoming.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      headers: incoming.headers,
      body: Buffer.concat(chunks).toString(),
    }
    received.push(request)
    answer(request, response)
  }
  const server = createServer((incoming, response) => void take(incoming, response))
  server.on('connection', () => {
    connections += 1
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const kubeConfig = new KubeConfig()
  kubeConfig.loadFromOptions({
    clusters: [{ name: 'c', server: `http://127.0.0.1:${port}`, skipTLSVerify: true }],
    users: [{ name: 'u', token: 'secret-token' }],
    contexts: [{ name: 'x', cluster: 'c', user: 'u' }],
    currentContext: 'x',
  })
  return {
    kubeConfig,
    received,
    connections: () => connections,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** Answers with JSON. */
export function json(response: ServerResponse, body: unknown, status = 200, headers = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify(body))
}

/** Answers with a metav1.Status. */
export function refusal(
  response: ServerResponse,
  code: number,
  reason: string,
  headers = {},
): void {
  json(response, { kind: 'Status', code, reason, message: 'no' }, code, headers)
}

/** Sends lines of a watch and leaves it open. */
export function stream(response: ServerResponse, ...events: unknown[]): void {
  if (!response.headersSent) response.writeHead(200, { 'content-type': 'application/json' })
  response.flushHeaders()
  for (const event of events) response.write(`${JSON.stringify(event)}\n`)
}
