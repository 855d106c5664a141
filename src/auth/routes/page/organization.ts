import type { FastifyRequest } from 'fastify'
import { canonicalOrganizationName } from '../../../domain/organizationname.ts'
import type { Fault } from '../../../web/form.ts'

/** The organization that a host tells by its own name: `acme.id.example.com` is that of acme. */
export function organizationOfHost(
  { hostname }: Pick<FastifyRequest, 'hostname'>,
  suffix: string | undefined,
): string | undefined {
  if (suffix === undefined || !hostname.endsWith(suffix)) return undefined
  return canonicalOrganizationName(hostname.slice(0, -suffix.length))
}

/** Reads the name of an organization that was typed in; empty where none was. */
export function readOrganization(text: string): { organization: string; faults: readonly Fault[] } {
  if (text.trim() === '') return { organization: '', faults: [] }
  const organization = canonicalOrganizationName(text)
  if (organization !== undefined) return { organization, faults: [] }
  const message = 'A short name has lower-case letters, digits and hyphens alone, such as acme.'
  return { organization: text.trim(), faults: [{ field: 'organization', message }] }
}
