import { type InvitationRow, openInvitationsBy, revokeInvitation } from '../../db/invitation.ts'
import { retireOneTimeTokens } from '../../db/onetimetoken.ts'
import { carryOut, type Transaction } from '../../db/transaction.ts'
import { Staff } from '../member/staff.ts'
import { auditingDeed } from '../trail.ts'

/** Why an invitation is taken back without anybody having asked for it. */
export interface Withdrawal {
  readonly organizationId: string
  /** Who brought it about, a user's id; undefined: nobody who is known. */
  readonly userId: string | undefined
  readonly reason: string
  readonly requestId: string
}

/** Takes open invitations back, and writes down why. */
export async function withdrawInvitations(
  tx: Transaction,
  invitations: readonly Pick<InvitationRow, 'id' | 'email'>[],
  { organizationId, userId, reason, requestId }: Withdrawal,
): Promise<void> {
  for (const { id, email } of invitations) {
    if (!(await revokeInvitation(tx, id))) continue
    await retireOneTimeTokens(tx, id, 'invitation')
    const deed = auditingDeed({
      organizationId,
      userId,
      action: 'invitation.revoked',
      target: { kind: 'invitation', id, name: email },
      requestId,
      detail: { reason },
    })
    await carryOut(tx, [deed], [])
  }
}

/** The open invitations of an inviter who may not give any more what they invited to. */
export async function lapsedInvitations(
  tx: Transaction,
  inviterId: string,
): Promise<readonly InvitationRow[]> {
  const staff = await Staff.read(tx, { userId: inviterId })
  const open = await openInvitationsBy(tx, inviterId)
  return open.filter(({ role, projectId }) => {
    return !staff?.mayInvite({ role, projectId: projectId ?? undefined })
  })
}
