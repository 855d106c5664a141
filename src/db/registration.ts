import type { Transaction } from './transaction.ts'

/** An organization that somebody asks for, and its first owner. */
export interface Registration {
  /** The one that it will have. */
  readonly organizationId: string
  readonly name: string
  readonly displayName: string
  /** Canonical. */
  readonly email: string
  readonly userName: string
  /** argon2id. */
  readonly passwordHash: string
}

/** @param lifetime seconds */
export async function insertRegistration(
  tx: Transaction,
  registration: Registration,
  lifetime: number,
): Promise<void> {
  const { organizationId, name, displayName, email, userName, passwordHash } = registration
  await tx.$client.query(
    `insert into cardea.registrations (organization_id, name, display_name, email, user_name, password_hash, expires_at)
     values ($1, $2, $3, $4, $5, $6, now() + make_interval(secs => $7))`,
    [organizationId, name, displayName, email, userName, passwordHash, lifetime],
  )
}

/** Takes the registration of the transaction's organization out of those that wait. */
export async function takeRegistration(tx: Transaction): Promise<Registration | undefined> {
  const { rows } = await tx.$client.query<Registration>(
    `delete from cardea.registrations where completed_at is null and expires_at > now()
     returning organization_id as "organizationId", name, display_name as "displayName", email, user_name as "userName",
       password_hash as "passwordHash"`,
  )
  return rows[0]
}

/** Makes the organization of a registration. @throws what `isNameTaken` tells, when another one has the name by now */
export async function insertRegisteredOrganization(
  tx: Transaction,
  { organizationId, name, displayName }: Registration,
): Promise<void> {
  await tx.$client.query(
    `insert into cardea.organizations (id, name, display_name, managed_by) values ($1, $2, $3, 'api')`,
    [organizationId, name, displayName],
  )
}

/** Whether an error is PostgreSQL's refusal of a name that another organization has. */
export function isNameTaken(error: unknown): boolean {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
  return (
    typeof cause === 'object' &&
    cause !== null &&
    'constraint' in cause &&
    cause.constraint === 'organizations_name_key'
  )
}
