import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ClientAddresses } from '../check/clientaddress.ts'
import { RefusalError } from '../refusal.ts'
import type { Hosts } from './hosts.ts'

export interface TransportOptions {
  readonly hosts: Hosts
  readonly addresses: ClientAddresses
}

/** Lets nobody in by a host that is not ours, or by plain HTTP where people reach us by HTTPS. */
export function registerTransportCheck(
  framework: FastifyInstance,
  { hosts, addresses }: TransportOptions,
): void {
  framework.addHook('onRequest', async (request, reply) => {
    const { host: named = [] } = request.raw.headersDistinct
    const origin = named.length === 1 ? hosts.originOf(named[0]) : undefined
    if (origin === undefined) throw new RefusalError('host_not_allowed')
    if (!hosts.secure || isEncrypted(request, addresses)) return
    // What a program sent has been read by others already: redirected, it would go on unnoticed (ASVS 4.1.2).
    if (request.method !== 'GET' || !request.headers.accept?.includes('text/html')) {
      throw new RefusalError('https_required')
    }
    const url = request.raw.url ?? '/'
    await reply.redirect(url.startsWith('/') ? `${origin}${url}` : origin, 308)
  })
}

/** Where machines ask: refuses what a trusted proxy says came to it by plain HTTP. */
export function registerPlainRefusal(
  framework: FastifyInstance,
  { hosts, addresses }: TransportOptions,
): void {
  framework.addHook('onRequest', async (request) => {
    if (!hosts.secure || request.headers['x-forwarded-proto'] === undefined) return
    if (addresses.peer(request.raw.socket).trusted && !isEncrypted(request, addresses)) {
      throw new RefusalError('https_required')
    }
  })
}

/** Whether a trusted proxy, and each one before it, says that it was asked by HTTPS. */
function isEncrypted({ raw, headers }: FastifyRequest, addresses: ClientAddresses): boolean {
  const forwarded = [headers['x-forwarded-proto']].flat().join(',')
  const schemes = forwarded.split(',').map((scheme) => scheme.trim().toLowerCase())
  return addresses.peer(raw.socket).trusted && schemes.every((scheme) => scheme === 'https')
}
