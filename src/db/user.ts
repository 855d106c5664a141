import { literal, type Reading } from './statement.ts'
import type { Transaction } from './transaction.ts'

/** A person of the organization: a row of cardea.users. */
export interface User {
  readonly id: string
  readonly email: string
  readonly name: string
  readonly groups: readonly string[]
  /** Neither suspended nor unverified. */
  readonly active: boolean
  readonly suspended: boolean
  readonly createdAt: Date
  readonly lastSignedInAt: Date | null
}

const columns = `u.id, u.email, u.name, u.groups, u.suspended_at is null and u.email_verified_at is not null as active,
  u.suspended_at is not null as suspended, u.created_at as "createdAt", u.last_signed_in_at as "lastSignedInAt"`

export async function findUser(tx: Transaction, id: string): Promise<User | undefined> {
  const { rows } = await tx.$client.query<User>(
    `select ${columns} from cardea.users u where id = $1`,
    [id],
  )
  return rows[0]
}

/** People in the order of their ids, from `after` on, which is left out; at most `most`. */
export async function listUsers(
  tx: Transaction,
  after: string | undefined,
  most: number,
): Promise<readonly User[]> {
  const { rows } = await tx.$client.query<User>(
    `select ${columns} from cardea.users u where $1::uuid is null or id > $1 order by id limit $2`,
    [after ?? null, most],
  )
  return rows
}

/** The people who have one of these addresses or belong to one of these groups. @param emails canonical */
export async function usersNamed(
  tx: Transaction,
  emails: readonly string[],
  groups: readonly string[],
): Promise<readonly User[]> {
  const { rows } = await tx.$client.query<User>(
    `select ${columns} from cardea.users u where email = any ($1) or groups && $2`,
    [emails, groups],
  )
  return rows
}

export async function countUsers(tx: Transaction): Promise<number> {
  const { rows } = await tx.$client.query<{ count: number }>(
    'select count(*)::integer as count from cardea.users',
  )
  return rows[0]?.count ?? 0
}

export async function userByEmail(tx: Transaction, email: string): Promise<User | undefined> {
  const { rows } = await tx.$client.query<User>(
    `select ${columns} from cardea.users u where email = $1`,
    [email],
  )
  return rows[0]
}

export async function renameUser(tx: Transaction, id: string, name: string): Promise<void> {
  await tx.$client.query('update cardea.users set name = $2 where id = $1', [id, name])
}

/** @returns whether that changed anything */
export async function suspendUser(
  tx: Transaction,
  id: string,
  suspended: boolean,
): Promise<boolean> {
  const { rowCount } = await tx.$client.query(
    `update cardea.users set suspended_at = case when $2 then now() end
     where id = $1 and (suspended_at is not null) is distinct from $2`,
    [id, suspended],
  )
  return rowCount === 1
}

/** Deletes a person, with their passwords, devices and sessions. */
export async function deleteUser(tx: Transaction, id: string): Promise<void> {
  await tx.$client.query('delete from cardea.users where id = $1', [id])
}

/** Writes down somebody whose address has just been verified, with the hash of their password. */
export async function insertUser(
  tx: Transaction,
  of: {
    readonly organizationId: string
    readonly id: string
    readonly email: string
    readonly name: string
    /** argon2id. */
    readonly hash: string
  },
): Promise<void> {
  await tx.$client.query(
    'insert into cardea.users (organization_id, id, email, name, email_verified_at) values ($1, $2, $3, $4, now())',
    [of.organizationId, of.id, of.email, of.name],
  )
  await tx.$client.query(
    'insert into cardea.passwords (organization_id, user_id, hash) values ($1, $2, $3)',
    [of.organizationId, of.id, of.hash],
  )
}

export interface UserWithPassword extends User {
  readonly verified: boolean
  /** Undefined: there is none. */
  readonly password: { readonly id: string; readonly hash: string } | undefined
}

interface PasswordRow extends Omit<UserWithPassword, 'password'> {
  readonly passwordId: string | null
  readonly hash: string | null
}

const userWithPassword = `select ${columns}, u.email_verified_at is not null as verified, p.id as "passwordId", p.hash
  from cardea.users u
  left join cardea.passwords p on (p.organization_id, p.user_id) = (u.organization_id, u.id) and p.replaced_at is null`

/** @param email canonical */
export function userWithPasswordByEmail(email: string): Reading<UserWithPassword | undefined> {
  return {
    text: `${userWithPassword} where u.email = ${literal(email)}`,
    decode: ([row]) => row && withPassword(row as unknown as PasswordRow),
  }
}

export async function userWithPasswordById(
  tx: Transaction,
  id: string,
): Promise<UserWithPassword | undefined> {
  const { rows } = await tx.$client.query<PasswordRow>(`${userWithPassword} where u.id = $1`, [id])
  return rows[0] && withPassword(rows[0])
}

function withPassword({ passwordId, hash, ...row }: PasswordRow): UserWithPassword {
  const password = passwordId === null || hash === null ? undefined : { id: passwordId, hash }
  return { ...row, password }
}

/** Holds a user's row until the commit: what depends on the password or the sessions waits. */
export function holdingUser(id: string): Reading<void> {
  return {
    text: `select from cardea.users where id = ${literal(id)} for no key update`,
    decode: () => {},
  }
}

/** Notes that a user reads the mail of their address. */
export async function verifyUser(tx: Transaction, id: string): Promise<void> {
  await tx.$client.query(
    'update cardea.users set email_verified_at = now() where id = $1 and email_verified_at is null',
    [id],
  )
}
