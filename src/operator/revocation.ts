import type { Organization } from '../api/v1alpha1/organization.ts'
import type { OrganizationRow } from '../db/organization.ts'
import { isApplied } from './applied.ts'

/** Milliseconds by which the clocks of an author, of the operator and of the database may differ. */
const tolerance = 60_000

type Revocation = Pick<OrganizationRow, 'sessionsRevokedBefore'>

/** What an Organization says of the moment before which no session counts; nothing: it says nothing, and the record keeps what it has. */
export function revocationOf({ spec }: Organization): Partial<Revocation> {
  const moment = spec.sessions?.revokedBefore
  return moment === undefined ? {} : { sessionsRevokedBefore: new Date(moment) }
}

/** Whether the moment would lock people out. */
export function isAhead(organization: Organization, now: Date): boolean {
  const { sessionsRevokedBefore: moment } = revocationOf(organization)
  return moment ? moment.getTime() > now.getTime() + tolerance : false
}

/**
 * Whether the record is to have a later moment. It never gets an earlier one, so a manifest that is put back takes nothing
 * back. The database puts no moment in force that is ahead of its own clock, so what was applied may be that much earlier.
 */
export function raisesRevocation(organization: Organization, row: Revocation | undefined): boolean {
  const { sessionsRevokedBefore: wanted } = revocationOf(organization)
  if (!wanted) return false
  const inForce = row?.sessionsRevokedBefore
  if (!inForce) return true
  return wanted.getTime() - inForce.getTime() > (isApplied(organization) ? tolerance : 0)
}
