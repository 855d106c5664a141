import type { FastifyRequest } from 'fastify'
import { deviceCookie } from '../../domain/session.ts'
import type { ClientAddresses } from '../check/clientaddress.ts'
import type { Client, OrganizationHint } from '../people.ts'

/** RFC 9110 sets no limit; whatever names a browser is shorter. */
const longestUserAgent = 512

/** Who is at the other end of a request, as the services of people want to know it. */
export function clientOf(request: FastifyRequest, addresses: ClientAddresses): Client {
  const { raw, headers } = request
  const forwarded = headers['x-forwarded-for']
  const hops = Array.isArray(forwarded) ? forwarded.join(',') : forwarded
  return {
    address: addresses.client(addresses.peer(raw.socket), hops),
    userAgent: headers['user-agent']?.slice(0, longestUserAgent),
    device: request.cookies[deviceCookie],
    requestId: request.id,
  }
}

/** Which organization a request is for: the one that is named, or the one that the host tells. */
export function hintOf(request: FastifyRequest, name?: string): OrganizationHint {
  return { ...(name !== undefined && name !== '' && { name }), host: request.hostname }
}
