import { z } from 'zod'
import { canonicalEmail } from '../../domain/email.ts'

/** An address as people write it; what none can be is told at once. */
export const email = z
  .string()
  .max(320)
  .refine((text) => canonicalEmail(text) !== undefined)
  .describe('An email address. Upper and lower case are one.')

/** The name of an organization, whether or not there is one. */
export const organizationName = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/)
  .describe(
    "The name of the organization. Left out: that of the host, or the one that has the address's domain.",
  )

/** A new password; whether it is accepted, the organization's rules tell. */
export const newPassword = z.string().min(1).max(4096)

/** What a mail carries. */
export const mailedToken = z.string().min(1).max(256).describe('The token of the mail.')
