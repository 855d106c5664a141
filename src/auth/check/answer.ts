import type { ServerResponse } from 'node:http'
import { type ProblemCode, problemJson, problemMediaType, statusOf } from '../problem.ts'
import type { Allowed } from './decide.ts'
import type { Quota } from './ratelimit.ts'

/** What more an answer says. */
export interface AnswerOptions {
  readonly requestId: string
  /** Whether the connection ends with this answer. */
  readonly close: boolean
}

export interface DenialOptions extends AnswerOptions {
  readonly quota?: Quota | undefined
  /** The scopes that were asked for. */
  readonly scopes?: readonly string[]
  readonly allow?: string | undefined
}

/** Headers as Node takes them fastest: names and values in turn. */
type RawHeaders = string[]

/** Answers that the request may pass, and who sent it. All x-cardea-* headers are there always: a proxy that copies them overwrites what the client made up. */
export function answerAllowed(
  response: ServerResponse,
  { credential, project, roles, quota }: Allowed,
  options: AnswerOptions,
): void {
  const { tenant, policy } = credential
  const organization = tenant.name ?? ''
  // Each part is plain text or JSON already: put together, nothing needs to be escaped.
  const body = `{"organization":"${organization}","project":${project === '' ? 'null' : `"${project}"`},"subject":"${credential.name}","subjectKind":"${credential.kind}","subjectId":"${credential.subjectId}","roles":${roles.json},"scopes":${policy.scopesJson},"credentialId":"${credential.id}"}`
  const headers: RawHeaders = [
    'content-type',
    'application/json',
    'content-length',
    String(body.length),
    'cache-control',
    'no-store',
    'x-content-type-options',
    'nosniff',
    'x-request-id',
    options.requestId,
    'x-cardea-organization',
    organization,
    'x-cardea-project',
    project,
    'x-cardea-subject',
    credential.name,
    'x-cardea-subject-kind',
    credential.kind,
    'x-cardea-subject-id',
    credential.subjectId,
    'x-cardea-roles',
    roles.header,
    'x-cardea-scopes',
    policy.scope,
    'x-cardea-credential-id',
    credential.id,
    'ratelimit-policy',
    quota?.limit.header ?? '',
    'ratelimit',
    quota === undefined ? '' : leftOf(quota),
  ]
  // An array that grows is copied; one that shrinks is not.
  if (quota === undefined) headers.length -= 4
  if (options.close) headers.push('connection', 'close')
  response.writeHead(200, headers)
  // All of it is ASCII, and Node writes latin1 several times faster than UTF-8.
  response.end(body, 'latin1')
}

/** Answers with a problem (RFC 9457). */
export function answerProblem(
  response: ServerResponse,
  code: ProblemCode,
  options: DenialOptions,
): void {
  const body = problemJson(code, options.requestId)
  const headers: RawHeaders = [
    'content-type',
    problemMediaType,
    'content-length',
    String(body.length),
    'cache-control',
    'no-store',
    'x-content-type-options',
    'nosniff',
    'x-request-id',
    options.requestId,
  ]
  if (options.close) headers.push('connection', 'close')
  const challenge = challengeFor(code, options.scopes)
  if (challenge !== undefined) headers.push('www-authenticate', challenge)
  if (options.quota) addQuota(headers, options.quota)
  if (code === 'rate_limited') headers.push('retry-after', String(options.quota?.reset ?? 1))
  if (code === 'unavailable') headers.push('retry-after', '1')
  if (options.allow !== undefined) headers.push('allow', options.allow)
  response.writeHead(statusOf(code), headers)
  // All of it is ASCII, and Node writes latin1 several times faster than UTF-8.
  response.end(body, 'latin1')
}

/** What is asked of whoever presents a bearer credential (RFC 6750, section 3). */
export function challengeFor(
  code: ProblemCode,
  scopes: readonly string[] = [],
): string | undefined {
  if (code === 'credential_missing') return 'Bearer realm="cardea"'
  if (code === 'credential_invalid') return 'Bearer realm="cardea", error="invalid_token"'
  if (code !== 'insufficient_scope') return undefined
  return `Bearer realm="cardea", error="insufficient_scope", scope="${scopes.join(' ')}"`
}

/** draft-ietf-httpapi-ratelimit-headers-10, sections 3 and 4. */
export function quotaHeaders(quota: Quota) {
  return {
    'ratelimit-policy': quota.limit.header,
    ratelimit: leftOf(quota),
  }
}

function leftOf({ remaining, reset }: Quota): string {
  return `"api-key";r=${remaining};t=${reset}`
}

function addQuota(headers: RawHeaders, quota: Quota): void {
  const { 'ratelimit-policy': policy, ratelimit } = quotaHeaders(quota)
  headers.push('ratelimit-policy', policy, 'ratelimit', ratelimit)
}
