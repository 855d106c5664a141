import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** Between a program and a server: lets a test take the server away, or make it silent, as a network does. */
export class TcpProxy {
  readonly #server: Server
  readonly #target: URL
  readonly #pairs = new Set<readonly [Socket, Socket]>()
  #mode: 'open' | 'refusing' | 'silent' = 'open'

  private constructor(target: string) {
    this.#target = new URL(target)
    this.#server = createServer((client) => this.#accept(client))
  }

  static async open(target: string): Promise<TcpProxy> {
    const proxy = new TcpProxy(target)
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  /** The target's URL, through here. */
  get url(): string {
    const url = new URL(this.#target)
    url.port = String((this.#server.address() as AddressInfo).port)
    return url.href
  }

  /** Cuts every connection and lets nobody in. */
  refuse(): void {
    this.#mode = 'refusing'
    this.cut()
  }

  /** Keeps every connection and carries nothing. */
  silence(): void {
    this.#mode = 'silent'
    this.lose()
  }

  /** Keeps the connections that there are and carries nothing on them; new ones work. */
  lose(): void {
    for (const sides of this.#pairs) for (const side of sides) side.pause()
  }

  restore(): void {
    this.#mode = 'open'
    for (const sides of this.#pairs) for (const side of sides) side.resume()
  }

  cut(): void {
    for (const sides of this.#pairs) for (const side of sides) side.destroy()
  }

  async close(): Promise<void> {
    this.cut()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #accept(client: Socket): void {
    if (this.#mode === 'refusing') {
      client.destroy()
      return
    }
    const server = connect(Number(this.#target.port), this.#target.hostname)
    const pair = [client, server] as const
    this.#pairs.add(pair)
    const end = (): void => {
      this.#pairs.delete(pair)
      client.destroy()
      server.destroy()
    }
    for (const side of pair) side.on('error', end).on('close', end)
    client.on('data', (chunk) => server.write(chunk))
    server.on('data', (chunk) => client.write(chunk))
    if (this.#mode === 'silent') for (const side of pair) side.pause()
  }
}
