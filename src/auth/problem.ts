/** What can go wrong, once and for all: RFC 9457's type, title and status by code. Codes are for programs and never change. */
const catalogue = {
  bad_question: [400, 'The question cannot be read'],
  invalid_request: [400, 'The request cannot be read'],
  credential_missing: [401, 'A credential is needed'],
  credential_invalid: [401, 'The credential is not valid'],
  address_not_allowed: [403, 'The credential may not be used from this address'],
  origin_not_allowed: [403, 'The credential may not be used from this origin'],
  project_not_allowed: [403, 'The credential may not be used for this project'],
  insufficient_scope: [403, 'The credential lacks a scope'],
  permission_denied: [403, 'The subject lacks a permission'],
  own_credential_not_allowed: [403, "A credential of one's own may not be used here"],
  own_credential_required: [403, "A credential of one's own is needed here"],
  not_found: [404, 'There is nothing here'],
  provider_credential_not_found: [404, 'There is no credential for this provider'],
  method_not_allowed: [405, 'This method is not allowed here'],
  body_too_large: [413, 'The body is too large'],
  unsupported_media_type: [415, 'The body is of another media type'],
  rate_limited: [429, 'The rate limit of the credential is reached'],
  internal: [500, 'Something went wrong'],
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
}

export const problemMediaType = 'application/problem+json'

export function statusOf(code: ProblemCode): number {
  return catalogue[code][0]
}

export function problem(code: ProblemCode, requestId: string): Problem {
  const [status, title] = catalogue[code]
  return { type: typeOf(code), title, status, code, requestId }
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
