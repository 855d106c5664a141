import { labelPattern } from '../../domain/label.ts'

/** The hosts that people reach us by. */
export class Hosts {
  readonly #protocol: string
  readonly #host: string
  readonly #port: string
  readonly #organizationHosts: string | undefined

  /**
   * @param publicUrl an origin
   * @param organizationHosts `.id.example.com`: each organization has a host below that domain
   */
  constructor(publicUrl: string, organizationHosts?: string) {
    const { protocol, hostname, port } = new URL(publicUrl)
    this.#protocol = protocol
    this.#host = hostname
    this.#port = port
    this.#organizationHosts = organizationHosts
  }

  /** Whether people reach us by HTTPS alone; otherwise somebody tries us out on their own machine. */
  get secure(): boolean {
    return this.#protocol === 'https:'
  }

  /**
   * The origin of pages at a host.
   * @param host a Host header
   * @returns undefined when it is no host of ours
   */
  originOf(host: string | undefined): string | undefined {
    const url = host !== undefined && /^[!-~]+$/.test(host) ? parse(this.#protocol, host) : null
    return url && this.#serves(url) ? url.origin : undefined
  }

  #serves({ hostname, port }: URL): boolean {
    // On one's own machine, several replicas have a port each.
    if (!this.secure) return isLoopback(hostname)
    if (port !== this.#port) return false
    return hostname === this.#host || this.#isOrganizationHost(hostname)
  }

  #isOrganizationHost(hostname: string): boolean {
    const suffix = this.#organizationHosts
    if (suffix === undefined || !hostname.endsWith(suffix)) return false
    return labelPattern.test(hostname.slice(0, -suffix.length))
  }
}

/** @returns null when there is more, or less, than a host and a port */
function parse(protocol: string, host: string): URL | null {
  const url = URL.parse(`${protocol}//${host}/`)
  return url && /^[^/?#@\\]+$/.test(host) && url.href === `${url.origin}/` ? url : null
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.[0-9]{1,3}){3}$/.test(hostname)
}
