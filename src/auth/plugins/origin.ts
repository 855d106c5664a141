import type { FastifyInstance, FastifyRequest } from 'fastify'
import { sessionCookie } from '../../domain/session.ts'
import { formMediaType } from '../form.ts'
import { RefusalError } from '../refusal.ts'
import type { Hosts } from './hosts.ts'
import { jsonExpected } from './json.ts'

/** What tells where a request of a browser comes from. */
export interface Provenance {
  /** Fetch Metadata; undefined from what is no browser, and from old ones. */
  readonly site: string | undefined
  readonly origin: string | undefined
  /** The origin of our own pages at the host that was asked; undefined where that is no host of ours. */
  readonly own: string | undefined
  /** Whether a browser could send it for another site without asking before: a cookie is its credential, or it is a form. */
  readonly ambient: boolean
}

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Whether a request that changes something is of one of our own pages, or of no browser (ADR 0016). */
export function isOwnRequest({ site, origin, own, ambient }: Provenance): boolean {
  if (site === 'same-origin') return true
  const isOwn = own !== undefined && origin === own
  if (site !== undefined) return site === 'none' && isOwn
  return origin === undefined ? !ambient : isOwn
}

/**
 * Refuses what another site has a browser do.
 * @param whose `everybody`: any request that changes something and brings no credential of its own in a header, since signing
 *   somebody in is a change too; `signed-in`: where a session's cookie comes along
 * @param takes what the routes take
 */
export function registerOriginCheck(
  framework: FastifyInstance,
  {
    hosts,
    whose,
    takes,
  }: {
    readonly hosts: Hosts | undefined
    readonly whose: 'everybody' | 'signed-in'
    readonly takes: 'json' | 'forms'
  },
): void {
  framework.addHook('onRequest', async (request) => {
    if (safeMethods.has(request.method)) return
    const { headers } = request
    const hasCookie = hasSessionCookie(request)
    const explicit = headers.authorization !== undefined || headers['x-api-key'] !== undefined
    if (!hasCookie && (explicit || whose === 'signed-in')) return
    const provenance = {
      site: single(headers['sec-fetch-site']),
      origin: headers.origin,
      own: hosts?.originOf(headers.host),
      ambient: hasCookie || isForm(headers['content-type']),
    }
    if (isOwnRequest(provenance)) return
    // Where nothing tells of a browser, a program forgot to say what it sends.
    const { site, origin, own } = provenance
    const program = !hasCookie && site === undefined && origin === undefined
    if (program && takes === 'json') throw jsonExpected()
    throw new RefusalError('csrf_refused', { details: remediesOf(own) })
  })
}

/** @param own as the origin of our pages at the host that was asked */
function remediesOf(own: string | undefined): readonly string[] {
  const origin = own === undefined ? 'Origin' : `Origin: ${own}`
  return [
    `Browsers say by "Sec-Fetch-Site" or "Origin" that a page of this service asks. A program that uses a cookie or sends a form must send the header "${origin}" too.`,
    'A program is better off without a cookie: sign in with "session": "token", and send the access token as "Authorization: Bearer".',
  ]
}

/** By name alone: a cookie that is no session is refused as well. */
function hasSessionCookie({ headers }: FastifyRequest): boolean {
  return headers.cookie?.includes(`${sessionCookie}=`) ?? false
}

/** The media types that a form of HTML can have (Fetch, section 2.2.2), and none at all, as an empty form has. */
function isForm(contentType: string | undefined): boolean {
  const type = contentType?.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  return ['', formMediaType, 'multipart/form-data', 'text/plain'].includes(type)
}

function single(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(',') : header
}
