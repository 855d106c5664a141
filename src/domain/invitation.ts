import { isOfDomains } from './email.ts'

/** Why an address cannot become a member, for programs and for people. */
export interface PersonObjection {
  readonly code: 'email_domain_not_allowed' | 'member_exists' | 'quota_exceeded'
  readonly detail?: string
}

/** What an organization says about who can be in it. */
export interface Room {
  readonly displayName: string
  /** Of email addresses; none: any. */
  readonly domains: readonly string[]
  /** Whether somebody has the address already. */
  readonly exists: boolean
  readonly people: number
  /** Undefined: any number. */
  readonly maxPeople: number | undefined
}

/** @param email canonical */
export function objectionToPerson(
  email: string,
  { displayName, domains, exists, people, maxPeople }: Room,
): PersonObjection | undefined {
  if (!isOfDomains(email, domains)) {
    const list = domains.map((domain) => `@${domain}`).join(', ')
    return {
      code: 'email_domain_not_allowed',
      detail: `${displayName} takes addresses that end in ${list}.`,
    }
  }
  if (exists) return { code: 'member_exists' }
  if (maxPeople !== undefined && people >= maxPeople) {
    return { code: 'quota_exceeded', detail: `${displayName} may have ${maxPeople} people.` }
  }
  return undefined
}

/** Whether an organization names an address as one of its owners. @param email canonical; resources may write it otherwise */
export function namesOwner(owners: readonly string[], email: string): boolean {
  return owners.some((owner) => owner.trim().toLowerCase() === email)
}
