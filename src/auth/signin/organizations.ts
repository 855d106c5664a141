import { domainOf } from '../../domain/email.ts'
import type { OrganizationHint } from '../people.ts'

/** An organization, as far as somebody is concerned who is not signed in yet. */
export interface KnownOrganization {
  readonly id: string
  readonly name: string
}

/** The live organizations, from memory. */
export interface Organizations {
  byName(name: string): KnownOrganization | undefined
  /** Those that name an email domain as theirs. */
  byDomain(domain: string): readonly KnownOrganization[]
}

/**
 * Which organization somebody means: the one that is named, or else the one of the host, or else the only one that has the
 * domain of the address. Where several have it, one must be named.
 * @param suffix of the hosts of organizations, with its dot: `.id.example.com`
 * @param email canonical; undefined when it is none
 */
export function organizationMeant(
  { name, host }: OrganizationHint,
  email: string | undefined,
  organizations: Organizations,
  suffix: string | undefined,
): KnownOrganization | undefined {
  if (name !== undefined && name !== '') return organizations.byName(name)
  const named = nameOfHost(host, suffix)
  if (named !== undefined) return organizations.byName(named)
  const having = email === undefined ? [] : organizations.byDomain(domainOf(email))
  return having.length === 1 ? having[0] : undefined
}

function nameOfHost(host: string | undefined, suffix: string | undefined): string | undefined {
  const lower = host?.toLowerCase()
  if (lower === undefined || suffix === undefined || !lower.endsWith(suffix)) return undefined
  const name = lower.slice(0, -suffix.length)
  return name === '' || name.includes('.') ? undefined : name
}

/**
 * What stands for an organization that does not exist: whoever names one goes the same way through the same tables, and finds
 * nobody.
 */
export const nowhere: KnownOrganization = {
  id: '00000000-0000-0000-0000-000000000000',
  name: '',
}
