import { sessionCookie } from '../../domain/session.ts'

/** The headers that a decision needs. */
export interface RequestHeaders {
  apiKey: string | undefined
  authorization: string | undefined
  /** All lines of Cookie, as one list. */
  cookie: string | undefined
  /** Whether a header that carries a credential came twice, so that nobody can say which one is meant. */
  ambiguous: boolean
  /** Empty, which is no origin, when it came twice. */
  origin: string | undefined
  /** Whether the browser says that a page of the very origin that is asked has it ask (Fetch Metadata). */
  sameOrigin: boolean | undefined
  /** All lines of X-Forwarded-For in their order, as one list. */
  forwardedFor: string | undefined
  userAgent: string | undefined
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
    cookie: undefined,
    ambiguous: false,
    origin: undefined,
    sameOrigin: undefined,
    forwardedFor: undefined,
    userAgent: undefined,
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
        else if (is(name, 'cookie')) {
          headers.cookie = headers.cookie === undefined ? value : `${headers.cookie};${value}`
        }
        break
      case 9:
        if (is(name, 'x-api-key')) {
          headers.ambiguous ||= headers.apiKey !== undefined
          headers.apiKey = value
        }
        break
      case 10:
        if (is(name, 'user-agent')) headers.userAgent = value
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
        else if (is(name, 'sec-fetch-site')) {
          headers.sameOrigin = headers.sameOrigin === undefined && value === 'same-origin'
        }
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

/** How a credential comes. Each way takes credentials of its own kinds, and no others. */
type Carrier = 'x-api-key' | 'bearer' | 'cookie'

export interface Presented {
  readonly carrier: Carrier
  /** Empty, which is no credential, when it cannot be told which one is meant. */
  readonly text: string
}

const ambiguous: Presented = { carrier: 'bearer', text: '' }

/**
 * The credential that the headers present. What a program put in a header counts before the cookie, which browsers send by
 * themselves; and when it is wrong, the cookie does not mend it: nobody is somebody else than they said.
 * @returns undefined when there is none
 */
export function presentedCredential(headers: RequestHeaders): Presented | undefined {
  const { apiKey, authorization, cookie } = headers
  if (headers.ambiguous) return ambiguous
  const session = cookie === undefined ? undefined : sessionText(cookie)
  if (session === null) return ambiguous
  // Another scheme is between the client and the application; it is no business of ours.
  const bearer = authorization === undefined ? undefined : bearerToken(authorization)
  if (apiKey !== undefined) {
    if (bearer !== undefined && bearer !== apiKey) return ambiguous
    return { carrier: 'x-api-key', text: apiKey }
  }
  if (bearer !== undefined) return { carrier: 'bearer', text: bearer }
  return session === undefined ? undefined : { carrier: 'cookie', text: session }
}

/**
 * The text of the session cookie in a list of cookies (RFC 6265, section 4.2.1). Its name is compared with its case.
 * @returns undefined when it is not there, null when it is there twice
 */
function sessionText(cookies: string): string | undefined | null {
  let found: string | undefined
  for (let at = cookies.indexOf(named); at >= 0; at = cookies.indexOf(named, at + named.length)) {
    if (!beginsCookie(cookies, at)) continue
    if (found !== undefined) return null
    const start = at + named.length
    const end = cookies.indexOf(';', start)
    found = cookies.slice(start, end < 0 ? cookies.length : end).trim()
  }
  return found
}

const named = `${sessionCookie}=`

/** Whether a cookie's name begins at a place: before it there are blanks at most, up to the end of another cookie. */
function beginsCookie(cookies: string, at: number): boolean {
  for (let before = at - 1; before >= 0; before--) {
    const character = cookies[before]
    if (character !== ' ' && character !== '\t') return character === ';'
  }
  return true
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
