import { moveSession } from '../../db/session.ts'
import type { SessionPlace } from '../../db/sessionplace.ts'
import { carryOut, type Transaction } from '../../db/transaction.ts'
import { changesOfClient } from '../../domain/sessionclient.ts'
import type { Client } from '../people.ts'
import { auditingDeed } from '../trail.ts'
import { deviceNameOf, keptUserAgent } from './devicename.ts'

type Mover = Pick<Client, 'address' | 'userAgent'>

/** What is another than it was. @param client whose user agent may be missing: then the device is taken to be the same */
export function movesOf(
  { address, deviceName }: Pick<SessionPlace, 'address' | 'deviceName'>,
  client: Mover,
) {
  const userAgent = keptUserAgent(client.userAgent)
  const name = userAgent === undefined ? deviceName : deviceNameOf(userAgent)
  const now = { address: client.address?.slice(0, 64), deviceName: name }
  const before = { address: address ?? undefined, deviceName }
  return { changes: changesOfClient(before, now), before, now, userAgent }
}

/**
 * Writes down that a session is used from another network or device than before, and into the audit trail. It goes on:
 * people move, and update their browsers.
 */
export async function noteMove(
  tx: Transaction,
  session: Omit<SessionPlace, 'kind'> & { readonly userId: string },
  client: Mover & Pick<Client, 'requestId'>,
): Promise<void> {
  const { changes, before, now, userAgent } = movesOf(session, client)
  if (changes.length === 0) return
  const { organizationId, id, userId } = session
  await moveSession(tx, id, { ...now, address: now.address ?? before.address, userAgent })
  const deed = auditingDeed({
    organizationId,
    userId,
    action: 'session.client_changed',
    target: { kind: 'session', id, name: now.deviceName },
    requestId: client.requestId,
    detail: { address: now.address, changes, before },
  })
  await carryOut(tx, [deed], [])
}
