/** What can go wrong, once and for all: RFC 9457's type, title and status by code. Codes are for programs and never change. */
const catalogue = {
  bad_question: [400, 'The question cannot be read'],
  invalid_request: [400, 'The request cannot be read'],
  token_invalid: [400, 'The token is not valid, or not any more'],
  credential_missing: [401, 'A credential is needed'],
  credential_invalid: [401, 'The credential is not valid'],
  sign_in_failed: [401, 'Signing in failed'],
  address_not_allowed: [403, 'The credential may not be used from this address'],
  origin_not_allowed: [403, 'The credential may not be used from this origin'],
  project_not_allowed: [403, 'The credential may not be used for this project'],
  insufficient_scope: [403, 'The credential lacks a scope'],
  permission_denied: [403, 'The subject lacks a permission'],
  own_credential_not_allowed: [403, "A credential of one's own may not be used here"],
  own_credential_required: [403, "A credential of one's own is needed here"],
  person_required: [403, 'Somebody who is signed in is needed here'],
  csrf_refused: [403, 'The request does not come from a page of this service'],
  https_required: [403, 'HTTPS is needed here'],
  email_not_verified: [403, 'The email address is not verified yet'],
  email_domain_not_allowed: [403, 'The organization does not take addresses of this domain'],
  sign_in_method_not_allowed: [403, 'The organization does not allow this way to sign in'],
  registration_closed: [403, 'Organizations cannot be registered here'],
  password_wrong: [403, 'The current password is another one'],
  quota_exceeded: [403, 'The organization has as many as it may have'],
  not_found: [404, 'There is nothing here'],
  provider_credential_not_found: [404, 'There is no credential for this provider'],
  method_not_allowed: [405, 'This method is not allowed here'],
  request_timeout: [408, 'The request took too long'],
  organization_name_taken: [409, 'The name of the organization is taken'],
  member_exists: [409, 'The address belongs to a member'],
  last_owner: [409, 'The organization would be without an owner'],
  managed_by_resource: [409, 'A resource says so, and only the resource can change it'],
  body_too_large: [413, 'The body is too large'],
  unsupported_media_type: [415, 'The body is of another media type'],
  host_not_allowed: [421, 'This host is not served here'],
  password_not_accepted: [422, 'The password does not follow the rules'],
  role_not_found: [422, 'There is no such role'],
  project_not_found: [422, 'There is no such project'],
  headers_too_large: [431, 'The headers are too large'],
  rate_limited: [429, 'The rate limit of the credential is reached'],
  too_many_requests: [429, 'There were too many requests'],
  account_locked: [429, 'There were too many failures'],
  internal: [500, 'Something went wrong'],
  busy: [503, 'Too much is going on now'],
  signing_unavailable: [503, 'Tokens cannot be signed now'],
  unavailable: [503, 'The credential cannot be judged now'],
  vault_unavailable: [503, 'The vault is not available'],
  key_management_unavailable: [503, 'The key management service is not available'],
  provider_credential_unreadable: [503, 'The credential for this provider cannot be read'],
} as const satisfies Record<string, readonly [status: number, title: string]>

export type ProblemCode = keyof typeof catalogue
export const problemCodes = Object.keys(catalogue) as readonly ProblemCode[]

export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly code: ProblemCode
  readonly requestId: string
  /** For people, where there is more to say: which rule a password breaks. */
  readonly details?: readonly string[]
}

export const problemMediaType = 'application/problem+json'

export function statusOf(code: ProblemCode): number {
  return catalogue[code][0]
}

export function problem(
  code: ProblemCode,
  requestId: string,
  details?: readonly string[],
): Problem {
  const [status, title] = catalogue[code]
  return { type: typeOf(code), title, status, code, requestId, ...(details && { details }) }
}

const prefixes = Object.fromEntries(
  problemCodes.map((code) => [code, JSON.stringify(problem(code, '')).slice(0, -2)]),
) as Record<ProblemCode, string>

/** The JSON of a problem. @param requestId plain characters only, as request ids have */
export function problemJson(code: ProblemCode, requestId: string): string {
  return `${prefixes[code]}${requestId}"}`
}

function typeOf(code: ProblemCode): string {
  return `https://cardea.dev/problems/${code.replaceAll('_', '-')}`
}
