import type { Transaction } from './transaction.ts'

export interface InvitationRow {
  readonly id: string
  /** Canonical. */
  readonly email: string
  readonly role: string
  /** Null: the whole organization. */
  readonly projectId: string | null
  /** A user's id; null: a resource names an owner. */
  readonly invitedBy: string | null
  readonly createdAt: Date
  readonly expiresAt: Date
}

const invitation = `id, email, role, project_id as "projectId", invited_by as "invitedBy", created_at as "createdAt",
  expires_at as "expiresAt"`
/** Expired ones stay until another takes their place: then they are of no use, but nobody wrote down that they ended. */
export const isOpenInvitation = 'accepted_at is null and revoked_at is null'

/** Those that can still be accepted, the newest first, at most `most`. */
export async function openInvitations(
  tx: Transaction,
  most: number,
): Promise<readonly InvitationRow[]> {
  const { rows } = await tx.$client.query<InvitationRow>(
    `select ${invitation} from cardea.invitations where ${isOpenInvitation} and expires_at > now() order by created_at desc, id desc limit $1`,
    [most],
  )
  return rows
}

/** @param seconds for which it can be accepted */
export async function insertInvitation(
  tx: Transaction,
  of: {
    readonly organizationId: string
    readonly email: string
    readonly role: string
    readonly projectId: string | undefined
    readonly invitedBy: string
  },
  seconds: number,
): Promise<InvitationRow> {
  const { rows } = await tx.$client.query<InvitationRow>(
    `insert into cardea.invitations (organization_id, email, role, project_id, invited_by, expires_at)
     values ($1, $2, $3, $4, $5, now() + make_interval(secs => $6)) returning ${invitation}`,
    [of.organizationId, of.email, of.role, of.projectId ?? null, of.invitedBy, seconds],
  )
  const [row] = rows
  if (!row) throw new Error('the invitation was not written')
  return row
}

/** @returns undefined when there is none that can still be accepted */
export async function openInvitation(
  tx: Transaction,
  id: string,
): Promise<InvitationRow | undefined> {
  const { rows } = await tx.$client.query<InvitationRow>(
    `select ${invitation} from cardea.invitations where id = $1 and ${isOpenInvitation} and expires_at > now()`,
    [id],
  )
  return rows[0]
}

/** Accepts an invitation: one of any number of times. */
export async function acceptInvitation(
  tx: Transaction,
  id: string,
): Promise<InvitationRow | undefined> {
  const { rows } = await tx.$client.query<InvitationRow>(
    `update cardea.invitations set accepted_at = now() where id = $1 and ${isOpenInvitation} and expires_at > now() returning ${invitation}`,
    [id],
  )
  return rows[0]
}

export async function revokeInvitation(
  tx: Transaction,
  id: string,
): Promise<InvitationRow | undefined> {
  const { rows } = await tx.$client.query<InvitationRow>(
    `update cardea.invitations set revoked_at = now() where id = $1 and ${isOpenInvitation} and expires_at > now() returning ${invitation}`,
    [id],
  )
  return rows[0]
}

/** Makes room for another invitation of an address. */
export async function supersedeInvitation(
  tx: Transaction,
  email: string,
): Promise<InvitationRow | undefined> {
  const { rows } = await tx.$client.query<InvitationRow>(
    `update cardea.invitations set revoked_at = now() where email = $1 and ${isOpenInvitation} returning ${invitation}`,
    [email],
  )
  return rows[0]
}

/** What a user invited, and can still be accepted. */
export async function openInvitationsBy(
  tx: Transaction,
  userId: string,
): Promise<readonly InvitationRow[]> {
  const { rows } = await tx.$client.query<InvitationRow>(
    `select ${invitation} from cardea.invitations where invited_by = $1 and ${isOpenInvitation} and expires_at > now() order by id`,
    [userId],
  )
  return rows
}

/**
 * How long an address must be left in peace, when it was invited so many times in the last seconds, whatever became of it.
 * @returns seconds; undefined: it was not
 */
export async function pauseOfInvitations(
  tx: Transaction,
  email: string,
  { most, window }: { readonly most: number; readonly window: number },
): Promise<number | undefined> {
  const { rows } = await tx.$client.query<{ seconds: number }>(
    `select greatest(1, ceil(extract(epoch from created_at - now()) + $2))::integer as seconds from cardea.invitations
     where email = $1 and created_at > now() - make_interval(secs => $2) order by created_at desc offset $3 limit 1`,
    [email, window, most - 1],
  )
  return rows[0]?.seconds
}
