import type { FastifyRequest } from 'fastify'
import { canonicalOrganizationName } from '../../domain/organizationname.ts'
import { deviceCookie, sessionCookie } from '../../domain/session.ts'
import type { ClientAddresses } from '../check/clientaddress.ts'
import type { Client, OrganizationHint } from '../people.ts'

/** No browser's name is longer, and what is longer is no browser's. */
const longestUserAgent = 512

/** Who is at the other end of a request, as the services of people want to know it. */
export function clientOf(request: FastifyRequest, addresses: ClientAddresses): Client {
  return {
    address: addressOf(request, addresses),
    userAgent: request.headers['user-agent']?.slice(0, longestUserAgent),
    device: request.cookies[deviceCookie],
    session: request.cookies[sessionCookie],
    requestId: request.id,
  }
}

/** Where a request comes from, canonically; undefined when that cannot be told. */
export function addressOf(
  { raw, headers }: FastifyRequest,
  addresses: ClientAddresses,
): string | undefined {
  const forwarded = headers['x-forwarded-for']
  const hops = Array.isArray(forwarded) ? forwarded.join(',') : forwarded
  return addresses.client(addresses.peer(raw.socket), hops)
}

/** Which organization a request is for: the one that it names, or the one that its host tells. */
export function hintOf(request: FastifyRequest, name?: string): OrganizationHint {
  const host = request.hostname
  if (name === undefined || name === '') return { host }
  return { name: canonicalOrganizationName(name) ?? name, host }
}
