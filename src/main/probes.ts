import { createServer, type Server, type ServerResponse } from 'node:http'
import type { Registry } from 'prom-client'

export interface Probes {
  readonly registry: Registry
  /** Undefined when ready; else what is missing, for people. */
  readonly unready: () => string | undefined
}

/** Health and metrics on a port of their own: `/healthz`, `/readyz` and `/metrics`. Resolves when it listens. */
export async function serveProbes(
  listen: { readonly host: string; readonly port: number },
  probes: Probes,
): Promise<Server> {
  const server = createServer((request, response) => {
    answer(request.url ?? '', request.method ?? '', response, probes).catch(() => {
      send(response, 500, 'the answer could not be made')
    })
  })
  server.requestTimeout = 10_000
  server.headersTimeout = 5000
  server.keepAliveTimeout = 65_000
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(listen.port, listen.host, () => resolve())
  })
  return server
}

async function answer(
  url: string,
  method: string,
  response: ServerResponse,
  probes: Probes,
): Promise<void> {
  if (method !== 'GET' && method !== 'HEAD') return send(response, 405, 'method not allowed')
  const [path = ''] = url.split('?')
  switch (path) {
    case '/healthz':
      return send(response, 200, 'ok')
    case '/readyz': {
      const missing = probes.unready()
      return missing === undefined ? send(response, 200, 'ready') : send(response, 503, missing)
    }
    case '/metrics':
      return send(response, 200, await probes.registry.metrics(), probes.registry.contentType)
    default:
      return send(response, 404, 'not found')
  }
}

function send(
  response: ServerResponse,
  status: number,
  text: string,
  type = 'text/plain; charset=utf-8',
): void {
  response.writeHead(status, {
    'content-type': type,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  })
  response.end(`${text.trimEnd()}\n`)
}
