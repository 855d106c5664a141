import type { Server } from 'node:http'
import { Server as NetServer } from 'node:net'
import { setImmediate as afterPoll, setTimeout as sleep } from 'node:timers/promises'

/** Milliseconds in which an idle connection may still bring the request that was under way. */
const grace = 100
/** Milliseconds in which a moment without a new connection is looked for. */
const patience = 1000

/**
 * Ends a server's connections.
 * @param delay milliseconds in which connections are still taken, because whoever sends them here hears only now that this
 *   replica goes; answers end their connections from the first moment on
 * @param deadline on the monotonic clock: what is not answered by then is cut
 */
export async function drainServer(server: Server, delay: number, deadline: number): Promise<void> {
  const remaining = (most = Number.POSITIVE_INFINITY): number =>
    Math.max(0, Math.min(most, deadline - performance.now()))
  await sleep(remaining(delay))
  await lull(server, remaining(patience))
  // Not the HTTP server's own close(), which ends at once what looks idle: its next request may be in the socket.
  const closed = new Promise<void>((resolve) => {
    NetServer.prototype.close.call(server, () => resolve())
  })
  const cut = setTimeout(() => server.closeAllConnections(), remaining())
  await Promise.race([closed, sleep(remaining(grace))])
  await afterPoll()
  server.closeIdleConnections()
  await closed
  clearTimeout(cut)
}

/**
 * Resolves when no connection came in the last turn of the event loop, or after `most` milliseconds. When a server stops
 * to listen, the kernel resets the connections that it has taken and the server has not: there must be none.
 */
async function lull(server: Server, most: number): Promise<void> {
  const end = performance.now() + most
  let came = true
  const notice = (): void => {
    came = true
  }
  server.on('connection', notice)
  while (came && performance.now() < end) {
    came = false
    await afterPoll()
  }
  server.off('connection', notice)
}
