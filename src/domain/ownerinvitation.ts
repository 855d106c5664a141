import { tokenLifetime } from './onetimetoken.ts'

/** Milliseconds for which an owner may accept. */
export const ownerInvitationLifetime = tokenLifetime.invitation * 1000
/** Who let so many more invitations expire is left alone until the resource changes. */
const maxRenewals = 3

/** An invitation that was neither accepted nor revoked; it may have expired. */
export interface PendingInvitation {
  readonly id: string
  /** Canonical. */
  readonly email: string
  /** Whether it was made because the resource names an owner; otherwise a person invited. */
  readonly byResource: boolean
  /** How often it began anew since the resource changed. */
  readonly renewals: number
  readonly expiresAt: Date
}

/** What is to be done so that every owner of a resource has an account or a way to one. */
export interface OwnerInvitations {
  /** Addresses to invite. */
  readonly invite: readonly string[]
  /** Expired ones to begin anew, as they are then counted. */
  readonly renew: readonly Pick<PendingInvitation, 'id' | 'email' | 'renewals'>[]
  /** Of those who are no owners any more, and what must make room. */
  readonly revoke: readonly PendingInvitation[]
  /** When the first of those that somebody may still accept expires. */
  readonly next: Date | undefined
}

export interface OwnerInviting {
  /** Whether anybody is invited: it is of no use where nobody can sign in. */
  readonly inviting: boolean
  /** Whether the resource is another one than when it was last looked at. */
  readonly changed: boolean
  readonly now: Date
}

/**
 * @param owners whom the resource names, as canonical addresses
 * @param accounts which of them have an account, suspended or not
 * @param pending every pending invitation of an owner, and every one that was made for a resource's owner
 */
export function decideOwnerInvitations(
  owners: readonly string[],
  accounts: readonly string[],
  pending: readonly PendingInvitation[],
  { inviting, changed, now }: OwnerInviting,
): OwnerInvitations {
  const wanting = inviting ? owners.filter((owner) => !accounts.includes(owner)) : []
  const of = (email: string) => pending.find((one) => one.email === email)
  const isLive = (one: PendingInvitation) => one.expiresAt > now
  const expired = wanting.flatMap((owner) => of(owner) ?? []).filter((one) => !isLive(one))
  const renew = expired
    .filter(({ byResource, renewals }) => byResource && (changed || renewals < maxRenewals))
    .map(({ id, email, renewals }) => ({ id, email, renewals: changed ? 0 : renewals + 1 }))
  const replaced = expired.filter(({ byResource }) => !byResource)
  const former = pending.filter(({ email, byResource }) => byResource && !owners.includes(email))
  const live = wanting.flatMap((owner) => of(owner) ?? []).filter(isLive)
  const moments = live.map(({ expiresAt }) => expiresAt.getTime())
  return {
    invite: [...wanting.filter((owner) => !of(owner)), ...replaced.map(({ email }) => email)],
    renew,
    revoke: [...former, ...replaced],
    next: moments.length > 0 ? new Date(Math.min(...moments)) : undefined,
  }
}
