import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export interface Latencies {
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  readonly p999: number
  readonly max: number
  /** Answers other than 200. */
  readonly wrong: number
}

export interface OpenLoopOptions {
  readonly url: string
  readonly path: string
  readonly keys: readonly string[]
  /** Requests a second. */
  readonly rate: number
  readonly seconds: number
  /**
   * Whether it leaves its core to others between requests, and counts from when each was sent, or from when it was due where the
   * server kept all connections busy: where something else is asked from the same core, whoever spins waits for it, and would
   * count that.
   */
  readonly rests?: boolean
}

const connections = 64
const headerEnd = Buffer.from('\r\n\r\n')

/**
 * Sends requests at a fixed rate, whether or not the former ones were answered. Each one's latency counts from when it was
 * due: a server that stops for a moment answers for all that it kept waiting. Unless it rests, it spins, since a timer would be
 * late by more than what is measured.
 */
export async function openLoop(options: OpenLoopOptions): Promise<Latencies> {
  const { hostname, port } = new URL(options.url)
  const idle: Line[] = []
  const latencies: number[] = []
  let wrong = 0
  const lines = await Promise.all(
    Array.from({ length: connections }, async () => {
      const socket = connect({ host: hostname, port: Number(port), noDelay: true })
      await once(socket, 'connect')
      return new Line(socket, (line, due, status) => {
        latencies.push(performance.now() - due)
        if (status !== 200) wrong++
        idle.push(line)
      })
    }),
  )
  idle.push(...lines)
  const total = options.rate * options.seconds
  const interval = 1000 / options.rate
  const start = performance.now()
  let sent = 0
  let held = false
  while (latencies.length < total) {
    const now = performance.now()
    // Lines that are all busy still are the server's doing; more due at once than there are lines is this program's own.
    held ||= idle.length === 0
    for (; sent < total && start + sent * interval <= now; sent++) {
      const line = idle.pop()
      // All are busy: it is due all the same, and is sent as soon as one is free.
      if (line === undefined) break
      const due = start + sent * interval
      line.send(requestOf(options, sent), options.rests && !held ? performance.now() : due)
    }
    if (idle.length > 0) held = false
    await new Promise((resolve) => {
      if (options.rests) setTimeout(resolve, 1)
      else setImmediate(resolve)
    })
  }
  for (const line of lines) line.end()
  latencies.sort((a, b) => a - b)
  const at = (part: number) => latencies[Math.floor(latencies.length * part)] ?? Number.NaN
  return {
    p50: at(0.5),
    p99: at(0.99),
    p999: at(0.999),
    max: latencies.at(-1) ?? Number.NaN,
    wrong,
  }
}

function requestOf({ path, keys }: OpenLoopOptions, position: number): string {
  return `GET ${path} HTTP/1.1\r\nHost: auth.example.com\r\nOrigin: https://ci.example.com\r\nX-API-Key: ${keys[position % keys.length]}\r\n\r\n`
}

/** A connection with at most one request on its way. */
class Line {
  readonly #socket: Socket
  #due = 0
  #received = Buffer.alloc(0)

  constructor(socket: Socket, answered: (line: Line, due: number, status: number) => void) {
    this.#socket = socket
    socket.on('data', (chunk) => {
      this.#received = Buffer.concat([this.#received, chunk as Buffer])
      const end = this.#received.indexOf(headerEnd)
      if (end < 0) return
      const head = this.#received.toString('latin1', 0, end)
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)
      if (this.#received.length < end + headerEnd.length + length) return
      this.#received = Buffer.alloc(0)
      answered(this, this.#due, Number(head.slice(9, 12)))
    })
  }

  send(request: string, due: number): void {
    this.#due = due
    this.#socket.write(request, 'latin1')
  }

  end(): void {
    this.#socket.destroy()
  }
}
