import type { Activity } from '../index/activity.ts'
import type { ApiKeyCredential, Credential } from '../index/credential.ts'
import type { Meters } from '../index/meters.ts'
import type { RoleSet } from '../index/roleset.ts'
import type { SessionCredential } from '../index/session.ts'
import type { Project } from '../index/tenant.ts'
import type { Question } from './question.ts'
import { type Quota, takeToken } from './ratelimit.ts'

/** What else there is to know about a request. */
export interface Circumstances {
  /** Where it comes from, in the canonical spelling; undefined when that cannot be told. */
  readonly address: string | undefined
  /** Undefined when there is none: whoever asks is not a browser. Several are never one that is listed. */
  readonly origin: string | undefined
  /** Whether the browser sent the credential by itself, and a page of another origin may have had it do so. */
  readonly ambient: boolean
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

/** What decisions leave behind, and what they go by beside the credential. */
export interface Surroundings {
  readonly meters: Meters
  readonly activity: Activity
  /** Whether an origin is that of this service's own pages. */
  readonly isOwnOrigin: (origin: string) => boolean
}

/**
 * Decides on a request whose credential is known. Nothing is read or waited for; a key's meter, or when a session was seen, is
 * all that changes. Each guard is one of the published order.
 */
export function decide(
  credential: Credential,
  question: Question,
  circumstances: Circumstances,
  surroundings: Surroundings,
): Allowed | Denied {
  if (!isLive(credential, circumstances.now))
    return { code: 'credential_invalid', credential, quota: undefined }
  return credential.kind === 'APIKey'
    ? decideOnApiKey(credential, question, circumstances, surroundings)
    : decideOnSession(credential, question, circumstances, surroundings)
}

function decideOnApiKey(
  credential: ApiKeyCredential,
  question: Question,
  { address, origin, monotonic, now, share }: Circumstances,
  { meters }: Surroundings,
): Allowed | Denied {
  const { tenant, policy } = credential
  if (policy.networks && !(address !== undefined && policy.networks.has(address))) {
    return { code: 'address_not_allowed', credential, quota: undefined }
  }
  if (policy.origins && origin !== undefined && !policy.origins.has(origin)) {
    return { code: 'origin_not_allowed', credential, quota: undefined }
  }

  const meter = meters.of(credential)
  const { rateLimit } = policy
  const quota = rateLimit && takeToken(meter, rateLimit, share, monotonic)
  if (quota && !quota.allowed) return { code: 'rate_limited', credential, quota }

  const asked = question.project
  const project = credential.project ?? (asked ? tenant.projectByName(asked) : undefined)
  if (!isAnswer(project, asked)) return { code: 'project_not_allowed', credential, quota }

  for (const scope of question.scopes) {
    if (!policy.scopes.includes(scope)) return { code: 'insufficient_scope', credential, quota }
  }
  const roles = credential.rolesOn(project)
  if (question.permission !== undefined && !roles.permits(question.permission)) {
    return { code: 'permission_denied', credential, quota }
  }

  meters.count(meter, now)
  return { code: 'allowed', credential, project: project?.name ?? '', roles, quota }
}

function decideOnSession(
  credential: SessionCredential,
  question: Question,
  { origin, ambient, now }: Circumstances,
  { activity, isOwnOrigin }: Surroundings,
): Allowed | Denied {
  const { tenant } = credential
  const denied = (code: DenialCode): Denied => ({ code, credential, quota: undefined })
  if (ambient && origin !== undefined && !tenant.origins.includes(origin) && !isOwnOrigin(origin)) {
    return denied('origin_not_allowed')
  }

  const asked = question.project
  const project = asked ? tenant.projectByName(asked) : undefined
  const roles = credential.rolesOn(project)
  // A project is the business of those who have a role there.
  const isTheirs = project === undefined || roles.roles.length > 0
  if (!isAnswer(project, asked) || !isTheirs) return denied('project_not_allowed')

  // People have no scopes: their roles say what they may do.
  if (!question.scopes.every((scope) => roles.permits(scope))) return denied('insufficient_scope')
  if (question.permission !== undefined && !roles.permits(question.permission)) {
    return denied('permission_denied')
  }

  activity.saw(credential, now)
  return { code: 'allowed', credential, project: project?.name ?? '', roles, quota: undefined }
}

/** Whether a project is live, and the one that is asked for, if one is. */
function isAnswer(project: Project | undefined, asked: string | undefined): boolean {
  if (project && project.name === undefined) return false
  return asked === undefined || project?.name === asked
}

/** Whether a credential can be good for anything at all. @param now milliseconds since the epoch */
export function isLive(credential: Credential, now: number): boolean {
  if (credential.expiresAt <= now || credential.tenant.name === undefined) return false
  return credential.kind === 'APIKey' || !(credential.isIdle(now) || credential.isEnded)
}
