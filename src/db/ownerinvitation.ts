import type { PendingInvitation } from '../domain/ownerinvitation.ts'
import { isOpenInvitation } from './invitation.ts'
import { integer, literal, type Reading } from './statement.ts'

/** The people of an organization, as far as its owners go. */
export interface Owners {
  /** Addresses of owners that have an account, suspended or not. */
  readonly accounts: readonly string[]
  readonly pending: readonly PendingInvitation[]
}

/** @param owners canonical addresses */
export function peopleOfOwners(owners: readonly string[]): Reading<Owners> {
  const among = `email = any (array[${owners.map(literal).join(', ')}]::text[])`
  return {
    text: `select email, null::uuid as id, false as "byResource", 0 as renewals, null::timestamptz as "expiresAt" from cardea.users where ${among}
      union all
      select email, id, invited_by is null, renewals, expires_at from cardea.invitations
      where ${isOpenInvitation} and (invited_by is null or ${among})
      order by email`,
    decode: (rows) => ({
      accounts: rows.filter(({ id }) => id === null).map(({ email }) => String(email)),
      pending: rows.filter(({ id }) => id !== null) as unknown as PendingInvitation[],
    }),
  }
}

/** Invites an owner. @param seconds for which it can be accepted */
export function invitingOwner(
  { organizationId, id, email }: { organizationId: string; id: string; email: string },
  seconds: number,
): string {
  return `insert into cardea.invitations (organization_id, id, email, role, expires_at)
    values (${literal(organizationId)}, ${literal(id)}, ${literal(email)}, 'owner', ${endAfter(seconds)})`
}

/** Lets an invitation that expired begin anew. */
export function renewingInvitation(
  { id, renewals }: Pick<PendingInvitation, 'id' | 'renewals'>,
  seconds: number,
): string {
  return `update cardea.invitations set created_at = now(), expires_at = ${endAfter(seconds)}, renewals = ${integer(renewals)}
    where id = ${literal(id)}`
}

export function revokingInvitation(id: string): string {
  return `update cardea.invitations set revoked_at = now() where id = ${literal(id)}`
}

function endAfter(seconds: number): string {
  return `now() + make_interval(secs => ${integer(seconds)})`
}
