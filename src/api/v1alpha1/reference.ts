import { z } from 'zod'
import { dnsLabel } from './name.ts'
import { withTransitions } from './rule.ts'

/** The organization that a resource belongs to, for good: its record hangs on it. */
export function organizationRef() {
  return withTransitions(
    z.strictObject({
      name: dnsLabel('organizationRef.name', 'acme').describe('The name of the Organization.'),
    }),
    {
      cel: 'self == oldSelf',
      message:
        'organizationRef cannot change: delete this resource and create it anew for the other organization',
    },
  ).describe(
    'The Organization in this namespace that this resource belongs to. It cannot change. Example: {name: acme}.',
  )
}

/** A project of the organization. */
export function projectRef() {
  return z.strictObject({
    name: dnsLabel('projectRef.name', 'scanner').describe('The name of the Project.'),
  })
}
