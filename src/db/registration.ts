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

/** How many registrations there may be within some time, whatever becomes of them. */
export interface RegistrationLimits {
  readonly byEmail: number
  readonly byNetwork: number
  /** Seconds. */
  readonly window: number
}

/**
 * Writes a registration down, unless its address or its client had as many as they may have, however many are asked for at once.
 * @param network SHA-256 of what stands for the client, 32 bytes
 * @param lifetime seconds
 * @returns whether there were fewer
 */
export async function insertRegistration(
  tx: Transaction,
  registration: Registration & { readonly network: Buffer },
  lifetime: number,
  { byEmail, byNetwork, window }: RegistrationLimits,
): Promise<boolean> {
  const { organizationId, name, displayName, email, userName, passwordHash, network } = registration
  // Always in this order, so that no two wait for each other.
  for (const whose of [email, network.toString('hex')]) {
    await tx.$client.query(
      `select pg_advisory_xact_lock(hashtextextended('registration ' || $1, 0))`,
      [whose],
    )
  }
  const { rowCount } = await tx.$client.query(
    `insert into cardea.registrations (organization_id, name, display_name, email, user_name, password_hash, network, expires_at)
     select $1, $2, $3, $4, $5, $6, $7, now() + make_interval(secs => $8)
     from cardea.recent_registrations($4, $7, $11) where by_email < $9 and by_network < $10`,
    [
      organizationId,
      name,
      displayName,
      email,
      userName,
      passwordHash,
      network,
      lifetime,
      byEmail,
      byNetwork,
      window,
    ],
  )
  return rowCount === 1
}

/** The hash of the password that was chosen with the registration of the transaction's organization. */
export async function passwordOfRegistration(tx: Transaction): Promise<string | undefined> {
  const { rows } = await tx.$client.query<{ hash: string }>(
    'select password_hash as hash from cardea.registrations where completed_at is null and expires_at > now()',
  )
  return rows[0]?.hash
}

/** Takes the registration of the transaction's organization out of those that wait. Its password goes with it. */
export async function takeRegistration(tx: Transaction): Promise<Registration | undefined> {
  const { rows } = await tx.$client.query<Registration>(
    `with waiting as (
       select organization_id, password_hash from cardea.registrations where completed_at is null and expires_at > now() for update)
     update cardea.registrations r set completed_at = now(), password_hash = null from waiting w
     where r.organization_id = w.organization_id
     returning r.organization_id as "organizationId", r.name, r.display_name as "displayName", r.email, r.user_name as "userName",
       w.password_hash as "passwordHash"`,
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
