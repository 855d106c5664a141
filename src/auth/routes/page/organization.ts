import type { FastifyRequest } from 'fastify'
import type { Fault } from '../../../web/form.ts'

const name = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/

/** The organization that a host tells by its own name: `acme.id.example.com` is that of acme. */
export function organizationOfHost(
  { hostname }: Pick<FastifyRequest, 'hostname'>,
  suffix: string | undefined,
): string | undefined {
  if (suffix === undefined || !hostname.endsWith(suffix)) return undefined
  const first = hostname.slice(0, -suffix.length)
  return name.test(first) ? first : undefined
}

/** Reads the name of an organization that was typed in; empty where none was. */
export function readOrganization(text: string): { organization: string; faults: readonly Fault[] } {
  const organization = text.trim().toLowerCase()
  if (organization === '' || name.test(organization)) return { organization, faults: [] }
  const message = 'A short name has lower-case letters, digits and hyphens alone, such as acme.'
  return { organization, faults: [{ field: 'organization', message }] }
}
