import { literal, type Reading } from './statement.ts'
import type { Transaction } from './transaction.ts'

/** A user, as far as signing in goes. */
export interface Account {
  readonly id: string
  readonly email: string
  readonly name: string
  readonly groups: readonly string[]
  readonly verified: boolean
  readonly suspended: boolean
  /** Undefined: there is none. */
  readonly password: { readonly id: string; readonly hash: string } | undefined
}

interface AccountRow extends Omit<Account, 'password'> {
  readonly passwordId: string | null
  readonly hash: string | null
}

const account = `select u.id, u.email, u.name, u.groups, u.email_verified_at is not null as verified, u.suspended_at is not null as suspended,
    p.id as "passwordId", p.hash
  from cardea.users u
  left join cardea.passwords p on (p.organization_id, p.user_id) = (u.organization_id, u.id) and p.replaced_at is null`

/** @param email canonical */
export function accountByEmail(email: string): Reading<Account | undefined> {
  return {
    text: `${account} where u.email = ${literal(email)}`,
    decode: ([row]) => row && accountOf(row as unknown as AccountRow),
  }
}

export async function accountById(tx: Transaction, id: string): Promise<Account | undefined> {
  const { rows } = await tx.$client.query<AccountRow>(`${account} where u.id = $1`, [id])
  return rows[0] && accountOf(rows[0])
}

function accountOf({ passwordId, hash, ...row }: AccountRow): Account {
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
