import { createServer, type RequestListener, type Server } from 'node:http'
import { type CheckHandler, isCheck } from './check/handler.ts'

/** More than any proxy opens; beyond it, connections are closed at once rather than the memory be full. */
const maxConnections = 10_000

/**
 * Makes the public server: `/check` goes straight to its handler, the rest to the framework.
 * Each wait and each length has an end, so that nobody can hold a connection by doing nothing.
 */
export function createPublicServer(check: CheckHandler, framework: RequestListener): Server {
  const options = {
    // Credentials of any length up to this are judged, and refused, like others.
    maxHeaderSize: 65_536,
    headersTimeout: 10_000,
    requestTimeout: 30_000,
    connectionsCheckingInterval: 5000,
    // Longer than what load balancers keep an idle connection (60 s), or they would send into one that just closed.
    keepAliveTimeout: 75_000,
    // Requests without a body have no end to wait for: `registerEmptyBodies` keeps the framework from it.
    optimizeEmptyRequests: true,
  }
  const server = createServer(options, (request, response) => {
    if (isCheck(request.url ?? '')) check.handle(request, response)
    else framework(request, response)
  })
  server.maxConnections = maxConnections
  return server
}
