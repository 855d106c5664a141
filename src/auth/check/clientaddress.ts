import type { Socket } from 'node:net'
import { canonicalAddress, Networks } from '../network.ts'

/** The other end of a connection. */
export interface Peer {
  readonly address: string | undefined
  /** Whether it is a proxy whose X-Forwarded-* and X-Original-* are believed. */
  readonly trusted: boolean
}

/** Longer chains of proxies are somebody's attempt at something. */
const maxHops = 32

/** Tells where a request comes from. */
export class ClientAddresses {
  readonly #trusted: Networks
  readonly #peers = new WeakMap<Socket, Peer>()

  /** @param trustedProxies networks in CIDR notation */
  constructor(trustedProxies: readonly string[]) {
    this.#trusted = new Networks(trustedProxies)
  }

  peer(socket: Socket): Peer {
    let peer = this.#peers.get(socket)
    if (peer === undefined) {
      const address = canonicalAddress(socket.remoteAddress ?? '')
      peer = { address, trusted: address !== undefined && this.#trusted.has(address) }
      this.#peers.set(socket, peer)
    }
    return peer
  }

  /**
   * The client's address: the peer's own or, behind a trusted proxy, the last hop in X-Forwarded-For that is not a trusted
   * proxy itself. What stands before that hop is what the client wrote.
   * @returns undefined when a trusted proxy says what cannot be understood, or nothing: taken for the client itself, a proxy
   *   within a key's networks would let in the whole world
   */
  client(peer: Peer, forwardedFor: string | undefined): string | undefined {
    if (!peer.trusted) return peer.address
    if (forwardedFor === undefined) return undefined
    const hops = forwardedFor.split(',', maxHops + 1)
    if (hops.length > maxHops) return undefined
    let client = peer.address
    for (const hop of hops.toReversed()) {
      client = readHop(hop.trim())
      if (client === undefined || !this.#trusted.has(client)) return client
    }
    return client
  }
}

/** An address, or one with its port, as some proxies write it: `192.0.2.1:49152`, `[2001:db8::1]:49152`. */
function readHop(hop: string): string | undefined {
  const [, bracketed, plain] = /^(?:\[([^\]]*)\]|([0-9.]+))(?::[0-9]{1,5})?$/.exec(hop) ?? []
  return canonicalAddress(bracketed ?? plain ?? hop)
}
