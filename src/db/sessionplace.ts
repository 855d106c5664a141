import type { Pool } from 'pg'

/** From where a session was used last, as far as that is written down. */
export interface SessionPlace {
  readonly organizationId: string
  readonly id: string
  readonly kind: 'browser' | 'token'
  readonly address: string | null
  readonly deviceName: string
}

/** Of whichever organization; sessions that are over are left out. */
export async function sessionPlaces(
  pool: Pool,
  ids: readonly string[],
): Promise<readonly SessionPlace[]> {
  const { rows } = await pool.query<SessionPlace>(
    `select organization_id as "organizationId", id, kind, address, device_name as "deviceName" from cardea.session_places($1)`,
    [ids],
  )
  return rows
}
