/** The headers that a decision needs. */
export interface RequestHeaders {
  apiKey: string | undefined
  authorization: string | undefined
  /** Whether a header that carries a credential came twice, so that nobody can say which one is meant. */
  ambiguous: boolean
  /** Empty, which is no origin, when it came twice. */
  origin: string | undefined
  /** All lines of X-Forwarded-For in their order, as one list. */
  forwardedFor: string | undefined
  requestId: string | undefined
  hasBody: boolean
}

/**
 * Reads the headers in one pass over what the socket brought. Node's `headers` would join or drop what came twice.
 * Names are compared whole: `X_API_Key` is not `X-API-Key`.
 */
export function readRequestHeaders(raw: readonly string[]): RequestHeaders {
  const headers: RequestHeaders = {
    apiKey: undefined,
    authorization: undefined,
    ambiguous: false,
    origin: undefined,
    forwardedFor: undefined,
    requestId: undefined,
    hasBody: false,
  }
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] as string
    const value = raw[at + 1] as string
    // By length first: most headers are of no interest, and to lower-case each of them costs more than the rest.
    switch (name.length) {
      case 6:
        if (is(name, 'origin')) headers.origin = headers.origin === undefined ? value : ''
        break
      case 9:
        if (is(name, 'x-api-key')) {
          headers.ambiguous ||= headers.apiKey !== undefined
          headers.apiKey = value
        }
        break
      case 12:
        if (is(name, 'x-request-id')) {
          headers.requestId = headers.requestId === undefined ? value : ''
        }
        break
      case 13:
        if (is(name, 'authorization')) {
          headers.ambiguous ||= headers.authorization !== undefined
          headers.authorization = value
        }
        break
      case 14:
        if (is(name, 'content-length')) headers.hasBody ||= value !== '0'
        break
      case 15:
        if (is(name, 'x-forwarded-for')) {
          const { forwardedFor } = headers
          headers.forwardedFor = forwardedFor === undefined ? value : `${forwardedFor},${value}`
        }
        break
      case 17:
        if (is(name, 'transfer-encoding')) headers.hasBody = true
        break
      default:
    }
  }
  return headers
}

/**
 * The credential that the headers present.
 * @returns undefined when there is none; empty, which is no credential, when it cannot be told which one is meant
 */
export function presentedCredential(headers: RequestHeaders): string | undefined {
  if (headers.ambiguous) return ''
  const { apiKey, authorization } = headers
  if (authorization === undefined) return apiKey
  const bearer = bearerToken(authorization)
  // Another scheme is between the client and the application; it is no business of ours.
  if (bearer === undefined || apiKey === undefined) return bearer ?? apiKey
  return bearer === apiKey ? apiKey : ''
}

/** The token of `Authorization: Bearer` (RFC 6750, section 2.1); the scheme's case does not count (RFC 9110, section 11.1). */
function bearerToken(authorization: string): string | undefined {
  const space = authorization.indexOf(' ')
  const scheme = space < 0 ? authorization : authorization.slice(0, space)
  if (scheme.length !== 6 || scheme.toLowerCase() !== 'bearer') return undefined
  return space < 0 ? '' : authorization.slice(space).trimStart()
}

function is(name: string, wanted: string): boolean {
  return name === wanted || name.toLowerCase() === wanted
}
