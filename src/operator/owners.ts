import { auditing } from '../db/audit.ts'
import { newId } from '../db/identity.ts'
import { queueing } from '../db/mail.ts'
import { invitingOwner, renewingInvitation, revokingInvitation } from '../db/ownerinvitation.ts'
import { type OwnerInvitations, ownerInvitationLifetime } from '../domain/ownerinvitation.ts'
import { recordEvent } from './declare.ts'

const lifetime = ownerInvitationLifetime / 1000

/** What is to be written for the owners of an organization: the invitations, their mails, and what happened. */
export function ownerStatements(
  organizationId: string,
  { invite, renew, revoke }: OwnerInvitations,
): readonly string[] {
  const made = invite.map((email) => ({ organizationId, id: newId(), email }))
  return [
    // First: there is one pending invitation to an address.
    ...revoke.flatMap(({ id, email }) => [
      revokingInvitation(id),
      tell('revoked', { organizationId, id, email }),
    ]),
    ...made.flatMap((invitation) => [
      invitingOwner(invitation, lifetime),
      mailTo(invitation),
      tell('created', invitation),
    ]),
    ...renew.flatMap(({ id, email, renewals }) => [
      renewingInvitation({ id, renewals }, lifetime),
      mailTo({ organizationId, id, email }),
      tell('renewed', { organizationId, id, email }),
    ]),
  ]
}

interface Invitation {
  readonly organizationId: string
  readonly id: string
  readonly email: string
}

function mailTo({ organizationId, id, email: recipient }: Invitation): string {
  const mail = { organizationId, template: 'invitation', recipient, subjectId: id } as const
  return queueing({ ...mail, usefulFor: lifetime })
}

function tell(
  verb: 'created' | 'renewed' | 'revoked',
  { email: name, ...rest }: Invitation,
): string {
  return auditing(recordEvent('invitation', verb, { ...rest, name }, { role: 'owner' }))
}
