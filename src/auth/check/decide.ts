import type { Credential } from '../index/credential.ts'
import type { Meters } from '../index/meters.ts'
import type { RoleSet } from '../index/roleset.ts'
import type { Question } from './question.ts'
import { type Quota, takeToken } from './ratelimit.ts'

/** What else there is to know about a request. */
export interface Circumstances {
  /** Where it comes from, in the canonical spelling; undefined when that cannot be told. */
  readonly address: string | undefined
  /** Undefined when there is none: whoever asks is not a browser. Several are never one that is listed. */
  readonly origin: string | undefined
  /** Milliseconds since the epoch. */
  readonly now: number
  /** Milliseconds of a clock that nobody sets. */
  readonly monotonic: number
  /** This replica's part of a rate limit. */
  readonly share: number
}

type DenialCode =
  | 'credential_invalid'
  | 'address_not_allowed'
  | 'origin_not_allowed'
  | 'rate_limited'
  | 'project_not_allowed'
  | 'insufficient_scope'
  | 'permission_denied'

export interface Allowed {
  readonly code: 'allowed'
  readonly credential: Credential
  /** The project's name; empty: the organization as a whole. */
  readonly project: string
  readonly roles: RoleSet
  readonly quota: Quota | undefined
}

export interface Denied {
  readonly code: DenialCode
  readonly credential: Credential
  readonly quota: Quota | undefined
}

/**
 * Decides on a request whose credential is known. Nothing is read or waited for; the key's meter is all that changes.
 * Each guard is one of the published order.
 */
export function decide(
  credential: Credential,
  question: Question,
  circumstances: Circumstances,
  meters: Meters,
): Allowed | Denied {
  const { tenant, policy } = credential
  if (!isLive(credential, circumstances.now))
    return { code: 'credential_invalid', credential, quota: undefined }

  const { address, origin } = circumstances
  if (policy.networks && !(address !== undefined && policy.networks.has(address))) {
    return { code: 'address_not_allowed', credential, quota: undefined }
  }
  if (policy.origins && origin !== undefined && !policy.origins.has(origin)) {
    return { code: 'origin_not_allowed', credential, quota: undefined }
  }

  const meter = meters.of(credential)
  const { rateLimit } = policy
  const quota =
    rateLimit && takeToken(meter, rateLimit, circumstances.share, circumstances.monotonic)
  if (quota && !quota.allowed) return { code: 'rate_limited', credential, quota }

  const asked = question.project
  const project = credential.project ?? (asked ? tenant.projectByName(asked) : undefined)
  if (project && project.name === undefined)
    return { code: 'project_not_allowed', credential, quota }
  if (asked !== undefined && project?.name !== asked)
    return { code: 'project_not_allowed', credential, quota }

  for (const scope of question.scopes) {
    if (!policy.scopes.includes(scope)) return { code: 'insufficient_scope', credential, quota }
  }
  const roles = credential.rolesOn(project)
  if (question.permission !== undefined && !roles.permits(question.permission)) {
    return { code: 'permission_denied', credential, quota }
  }

  meters.count(meter, circumstances.now)
  return { code: 'allowed', credential, project: project?.name ?? '', roles, quota }
}

/** Whether a credential can be good for anything at all. @param now milliseconds since the epoch */
export function isLive({ expiresAt, tenant }: Credential, now: number): boolean {
  return expiresAt > now && tenant.name !== undefined
}
