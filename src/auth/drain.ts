import type { Server } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Ends a server's connections.
 * @param delay milliseconds in which connections are still taken, because whoever sends them here hears only now that this
 *   replica goes; answers end their connections from the first moment on
 * @param deadline on the monotonic clock: what is not answered by then is cut
 */
export async function drainServer(server: Server, delay: number, deadline: number): Promise<void> {
  await sleep(Math.min(delay, deadline - performance.now()))
  const closed = new Promise<void>((resolve) => {
    // Idle connections are closed with it.
    server.close(() => resolve())
  })
  const cut = setTimeout(
    () => server.closeAllConnections(),
    Math.max(0, deadline - performance.now()),
  )
  await closed
  clearTimeout(cut)
}
