import { z } from 'zod'
import { canonicalEmail } from '../../domain/email.ts'
import { labelPattern } from '../../domain/label.ts'
import { canonicalOrganizationName } from '../../domain/organizationname.ts'
import { isPersonName } from '../../domain/personname.ts'

/** An address as people write it; what none can be is told at once. */
export const email = z
  .string()
  .max(320)
  .refine((text) => canonicalEmail(text) !== undefined, 'must be an email address')
  .describe('An email address. Upper and lower case are one.')

/** The name of an organization as people write it, whether or not there is one. */
export const organizationName = z
  .string()
  .max(128)
  .refine(
    (text) => canonicalOrganizationName(text) !== undefined,
    'must be the short name of an organization: letters, digits and inner hyphens',
  )
  .describe(
    "The short name of the organization. Upper and lower case are one. Left out: that of the host, or the one that has the address's domain.",
  )

/** The name of something that resources name: a role, a project, a provider. */
export const resourceName = z
  .string()
  .regex(labelPattern, 'must be a name: lower-case letters, digits and inner hyphens')

/** What a person is called. */
export const personName = z
  .string()
  .max(200)
  .refine(isPersonName, 'must be one line of at most 120 characters')

/** A new password; whether it is accepted, the organization's rules tell. */
export const newPassword = z.string().min(1).max(4096)

/** What a mail carries. */
export const mailedToken = z.string().min(1).max(256).describe('The token of the mail.')
