import { literal, type Reading } from './statement.ts'
import type { Transaction } from './transaction.ts'

/** The device of a cookie, when it is known as one of a person's. @param email canonical @param digest of the cookie's text */
export function deviceOf(email: string, digest: Buffer): Reading<string | undefined> {
  return {
    text: `select d.id from cardea.devices d
      join cardea.users u on (u.organization_id, u.id) = (d.organization_id, d.user_id)
      where u.email = ${literal(email)} and d.digest = ${literal(`\\x${digest.toString('hex')}`)}`,
    decode: ([row]) => row && String(row['id']),
  }
}

/**
 * Keeps a browser as one of a person's, and forgets those that were not seen for the longest.
 * @param most how many are kept
 * @returns its id, and whether it was known before
 */
export async function keepDevice(
  tx: Transaction,
  device: { readonly organizationId: string; readonly userId: string; readonly digest: Buffer },
  most: number,
): Promise<{ readonly id: string; readonly known: boolean }> {
  const { rows } = await tx.$client.query<{ id: string; known: boolean }>(
    `insert into cardea.devices (organization_id, user_id, digest) values ($1, $2, $3)
     on conflict (organization_id, user_id, digest) do update set last_seen_at = now()
     returning new.id, old.id is not null as known`,
    [device.organizationId, device.userId, device.digest],
  )
  const [row] = rows
  if (!row) throw new Error('the device was not written')
  if (!row.known) {
    await tx.$client.query(
      `delete from cardea.devices where id in (
         select id from cardea.devices where user_id = $1 order by last_seen_at desc, id desc offset $2)`,
      [device.userId, most],
    )
  }
  return row
}

/** From where a user signed in lately, the last first. */
export async function lastSignIns(
  tx: Transaction,
  userId: string,
  most: number,
): Promise<readonly { readonly address: string | undefined; readonly deviceName: string }[]> {
  const { rows } = await tx.$client.query<{ address: string | null; deviceName: string }>(
    `select address, device_name as "deviceName" from cardea.sessions
     where user_id = $1 order by created_at desc, id desc limit $2`,
    [userId, most],
  )
  return rows.map(({ address, deviceName }) => ({ address: address ?? undefined, deviceName }))
}
