import { isOpenInvitation } from './invitation.ts'
import type { MailRow } from './mail.ts'
import type { Transaction } from './transaction.ts'

/** What a mail is about, as it stands when the mail is sent. */
export interface MailSubject {
  /** When it is over, with every token for it. */
  readonly endsAt?: Date
  /** Of an organization that is not there yet. */
  readonly organization?: { readonly name: string; readonly displayName: string }
  readonly invitation?: {
    readonly role: string
    readonly project: string | undefined
    readonly invitedBy: string | undefined
  }
}

/** The registration of the transaction's organization. */
export async function registrationToConfirm(tx: Transaction): Promise<MailSubject | undefined> {
  const { rows } = await tx.$client.query<{ name: string; display_name: string; expires_at: Date }>(
    `select name, display_name, expires_at from cardea.registrations
     where completed_at is null and expires_at > now()`,
  )
  const [row] = rows
  return (
    row && {
      endsAt: row.expires_at,
      organization: { name: row.name, displayName: row.display_name },
    }
  )
}

/** The invitation, for as long as it is open. */
export async function invitationToAccept(
  tx: Transaction,
  { subjectId }: Pick<MailRow, 'subjectId'>,
): Promise<MailSubject | undefined> {
  const { rows } = await tx.$client.query<{
    role: string
    expires_at: Date
    project: string | null
    invited_by: string | null
  }>(
    `select i.role, i.expires_at, p.display_name as project, u.email as invited_by
     from (select * from cardea.invitations where ${isOpenInvitation}) i
     left join cardea.projects p on (p.organization_id, p.id) = (i.organization_id, i.project_id)
     left join cardea.users u on (u.organization_id, u.id) = (i.organization_id, i.invited_by)
     where i.id = $1 and i.expires_at > now()`,
    [subjectId],
  )
  const [row] = rows
  return (
    row && {
      endsAt: row.expires_at,
      invitation: {
        role: row.role,
        project: row.project ?? undefined,
        invitedBy: row.invited_by ?? undefined,
      },
    }
  )
}

/** The user, suspended or not; undefined when the account is gone. */
export async function userToTell(
  tx: Transaction,
  { subjectId }: MailRow,
): Promise<MailSubject | undefined> {
  const { rows } = await tx.$client.query('select from cardea.users where id = $1', [subjectId])
  return rows.length > 0 ? {} : undefined
}

/** The user, when they may sign in and the address is still theirs. */
export async function userToLetIn(
  tx: Transaction,
  { subjectId, recipient }: MailRow,
): Promise<MailSubject | undefined> {
  const { rows } = await tx.$client.query(
    'select from cardea.users where id = $1 and email = $2 and suspended_at is null',
    [subjectId, recipient],
  )
  return rows.length > 0 ? {} : undefined
}
