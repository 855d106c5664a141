import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A way to a server that a test can break. */
export interface Wire {
  readonly port: number
  /** The URL with this way in the place of the direct one. */
  through(url: string): string
  /** Connections stay, new ones are taken, and nothing comes through: what a firewall does that forgot them. */
  silence(): void
  /** Everything goes on. */
  speak(): void
  close(): Promise<void>
}

/** Opens a way to a port of this machine. @param at where it begins; 0 for anywhere */
export async function openWire(port: number, at = 0): Promise<Wire> {
  const sockets = new Set<Socket>()
  let silent = false
  const keep = (socket: Socket): void => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => sockets.delete(socket))
    if (silent) socket.pause()
  }
  const server = createServer((near) => {
    const far = connect({ port, host: '127.0.0.1', noDelay: true })
    near.setNoDelay(true)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('data', (data) => to.write(data))
      from.once('close', () => to.destroy())
      keep(from)
    }
  })
  server.listen(at, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address() as AddressInfo
  return {
    port: address.port,
    through(url) {
      const other = new URL(url)
      other.host = `127.0.0.1:${address.port}`
      return other.href
    },
    silence() {
      silent = true
      for (const socket of sockets) socket.pause()
    },
    speak() {
      silent = false
      for (const socket of sockets) socket.resume()
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
