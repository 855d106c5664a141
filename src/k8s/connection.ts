import { createHash } from 'node:crypto'
import type { RequestOptions } from 'node:https'
import type { KubeConfig } from '@kubernetes/client-node'
import { type Dispatcher, Pool, ProxyAgent } from 'undici'
import type { Clock } from './clock.ts'

/** What a request needs besides its own path, body and headers. */
export interface Prepared {
  readonly dispatcher: Dispatcher
  readonly origin: string
  /** What stands before `/api`, when the server is behind a path. */
  readonly prefix: string
  readonly headers: Readonly<Record<string, string>>
}

export interface ConnectionOptions {
  readonly clock: Clock
  /** The most connections for requests; watches have their own, one each. Default 32. */
  readonly connections?: number
}

/** How long what KubeConfig said is taken to hold: it reads files and may run a program. */
const CREDENTIALS_TTL = 10_000

/**
 * Connections and credentials for one API server.
 *
 * client-node makes a new undici dispatcher, and so a new TLS handshake, for every request. Here
 * there is one for as long as the server, the CA, the client certificate and the server name stay
 * the same; a rotated certificate gets a new one, and a rotated token only changes a header.
 */
export class Connection {
  readonly #kubeConfig: KubeConfig
  readonly #options: ConnectionOptions
  #credentials: { readonly at: number; readonly value: Promise<Credentials> } | undefined
  #pools: Pools | undefined

  constructor(kubeConfig: KubeConfig, options: ConnectionOptions) {
    this.#kubeConfig = kubeConfig
    this.#options = options
  }

  /** Ready-made connection options for a request, or for a watch. */
  async prepare(use: 'request' | 'watch'): Promise<Prepared> {
    const { dispatcherKey, headers, proxyUrl, tls } = await this.#fresh()
    const server = new URL(this.#kubeConfig.getCurrentCluster()?.server ?? '')
    if (this.#pools?.key !== dispatcherKey) {
      // Closing lets requests in flight end; watches end by their own time-out.
      void this.#pools?.close()
      this.#pools = openPools(dispatcherKey, server.origin, proxyUrl, tls, this.#options)
    }
    return {
      dispatcher: this.#pools[use],
      origin: server.origin,
      prefix: server.pathname.replace(/\/$/, ''),
      headers,
    }
  }

  /** Reads the credentials again before the next request: the server did not take these. */
  invalidate(): void {
    this.#credentials = undefined
  }

  /** Cuts every connection. */
  async close(): Promise<void> {
    await this.#pools?.destroy()
  }

  #fresh(): Promise<Credentials> {
    const now = this.#options.clock.monotonic()
    if (this.#credentials === undefined || now - this.#credentials.at > CREDENTIALS_TTL) {
      const value = readCredentials(this.#kubeConfig)
      this.#credentials = { at: now, value }
      // A failure is not worth keeping: the file may be there a moment later.
      value.catch(() => this.invalidate())
    }
    return this.#credentials.value
  }
}

interface Credentials {
  readonly headers: Readonly<Record<string, string>>
  readonly tls: Pick<RequestOptions, 'ca' | 'cert' | 'key' | 'servername' | 'rejectUnauthorized'>
  readonly proxyUrl: string | undefined
  readonly dispatcherKey: string
}

interface Pools {
  readonly key: string
  readonly request: Dispatcher
  readonly watch: Dispatcher
  close(): Promise<unknown>
  destroy(): Promise<unknown>
}

async function readCredentials(kubeConfig: KubeConfig): Promise<Credentials> {
  const options: RequestOptions & { servername?: string } = {}
  await kubeConfig.applyToHTTPSOptions(options)
  const { ca, cert, key, servername, rejectUnauthorized } = options
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    headers[name.toLowerCase()] = String(value).trim()
  }
  if (options.auth) headers['authorization'] = `Basic ${btoa(options.auth)}`
  const tls = Object.fromEntries(
    Object.entries({ ca, cert, key, servername, rejectUnauthorized }).filter(([, v]) => v != null),
  )
  const cluster = kubeConfig.getCurrentCluster()
  const identity = JSON.stringify([cluster?.server, cluster?.proxyUrl, tls])
  return {
    headers,
    tls,
    proxyUrl: cluster?.proxyUrl,
    dispatcherKey: createHash('sha256').update(identity).digest('hex'),
  }
}

function openPools(
  key: string,
  origin: string,
  proxyUrl: string | undefined,
  tls: Credentials['tls'],
  options: ConnectionOptions,
): Pools {
  if (proxyUrl?.startsWith('socks')) throw new Error('proxy-url: SOCKS proxies are not supported')
  const open = (connections: number | null): Dispatcher => {
    // Deadlines are the caller's; undici's own would cut a quiet watch. HTTP/2 would put all on one
    // connection, where one stall is everybody's.
    const common = { connections, allowH2: false, bodyTimeout: 0, keepAliveTimeout: 10_000 }
    if (proxyUrl !== undefined) return new ProxyAgent({ ...common, uri: proxyUrl, requestTls: tls })
    const connect = { ...tls, keepAlive: true, keepAliveInitialDelay: 30_000, timeout: 5000 }
    return new Pool(origin, { ...common, connect })
  }
  const request = open(options.connections ?? 32)
  const watch = open(null)
  return {
    key,
    request,
    watch,
    close: () => Promise.all([request.close(), watch.close()]),
    destroy: () => Promise.all([request.destroy(), watch.destroy()]),
  }
}
