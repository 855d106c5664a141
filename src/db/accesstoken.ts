import type { Transaction } from './transaction.ts'

/** Revokes one access token, of a session that lives on. @returns whether it was not revoked before */
export async function revokeAccessToken(
  tx: Transaction,
  token: {
    readonly organizationId: string
    readonly jti: string
    readonly expiresAt: Date
  },
): Promise<boolean> {
  const { rowCount } = await tx.$client.query(
    `insert into cardea.revoked_access_tokens (organization_id, jti, expires_at) values ($1, $2, $3) on conflict do nothing`,
    [token.organizationId, token.jti, token.expiresAt],
  )
  return rowCount === 1
}
