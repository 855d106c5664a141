import type { SessionClient } from '../domain/sessionclient.ts'
import { integer, literal, type Reading } from './statement.ts'

/** The device of a cookie, when it is known as one of a person's. @param email canonical @param digest of the cookie's text */
export function deviceOf(email: string, digest: Buffer): Reading<string | undefined> {
  return {
    text: `select d.id from cardea.devices d
      join cardea.users u on (u.organization_id, u.id) = (d.organization_id, d.user_id)
      where u.email = ${literal(email)} and d.digest = ${literal(`\\x${digest.toString('hex')}`)}`,
    decode: ([row]) => row && String(row['id']),
  }
}

/** Keeps a browser as one of a person's. Answers its id, and whether it was known before. */
export function keepingDevice(device: {
  readonly organizationId: string
  readonly userId: string
  /** Of the cookie's text. */
  readonly digest: Buffer
}): Reading<{ readonly id: string; readonly known: boolean }> {
  const { organizationId, userId, digest } = device
  const values = [organizationId, userId, `\\x${digest.toString('hex')}`].map(literal)
  return {
    text: `insert into cardea.devices (organization_id, user_id, digest) values (${values.join(', ')})
      on conflict (organization_id, user_id, digest) do update set last_seen_at = now()
      returning new.id, old.id is not null as known`,
    decode: ([row]) => {
      if (!row) throw new Error('the device was not written')
      return { id: String(row['id']), known: row['known'] === true }
    },
  }
}

/** Forgets the devices of a person that were not seen for the longest. @param most how many are kept */
export function forgettingDevices(userId: string, most: number): string {
  return `delete from cardea.devices where id in (
    select id from cardea.devices where user_id = ${literal(userId)} order by last_seen_at desc, id desc offset ${integer(most)})`
}

/** From where a user signed in lately, the last first. */
export function lastSignIns(userId: string, most: number): Reading<readonly SessionClient[]> {
  return {
    text: `select address, device_name from cardea.sessions
      where user_id = ${literal(userId)} order by created_at desc, id desc limit ${integer(most)}`,
    decode: (rows) =>
      rows.map((row) => ({
        address: (row['address'] as string | null) ?? undefined,
        deviceName: row['device_name'] as string,
      })),
  }
}
