import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** A way to an HTTP server on which answers get lost. */
export interface LossyProxy {
  readonly url: string
  /** Answers the next so many requests that count by itself. */
  throttle(requests: number): void
  /** Answers nothing until the returned function is called. */
  hang(): () => void
  /** Lets every request wait for so many milliseconds, until it is told 0. */
  slow(milliseconds: number): void
  /** Requests that count, so far. */
  requests(): number
  close(): Promise<void>
}

export interface LossyProxyOptions {
  /** Which requests count. */
  readonly counts: (request: IncomingMessage) => boolean
  /** What the provider answers when it is asked too often. */
  readonly throttled: {
    readonly status: number
    readonly headers: Readonly<Record<string, string>>
    readonly body: string
  }
}

/** Opens a way to a server of this machine. */
export async function openLossyProxy(
  target: string,
  { counts, throttled }: LossyProxyOptions,
): Promise<LossyProxy> {
  let arrived = 0
  let toThrottle = 0
  let delay = 0
  let released: Promise<void> | undefined

  const take = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (counts(incoming)) {
      arrived += 1
      if (toThrottle > 0) {
        toThrottle -= 1
        incoming.resume()
        response.writeHead(throttled.status, throttled.headers).end(throttled.body)
        return
      }
    }
    await released
    if (delay > 0) await sleep(delay)
    pass(incoming, response, target)
  }
  const server = createServer((incoming, response) => void take(incoming, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    throttle(requests) {
      toThrottle = requests
    },
    hang() {
      const { promise, resolve } = Promise.withResolvers<void>()
      released = promise
      return () => {
        released = undefined
        resolve()
      }
    },
    slow(milliseconds) {
      delay = milliseconds
    },
    requests: () => arrived,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** The headers go as they came: a signature may cover the host. */
function pass(incoming: IncomingMessage, response: ServerResponse, target: string): void {
  const { method = '', headers, url = '/' } = incoming
  const outgoing = request(new URL(url, target), { method, headers, setHost: false }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers)
    answer.pipe(response)
  })
  outgoing.on('error', () => response.destroy())
  response.on('close', () => outgoing.destroy())
  incoming.pipe(outgoing)
}
