import { randomBytes } from 'node:crypto'
import { forgettingDevices, keepingDevice, lastSignIns } from '../../db/device.ts'
import { mailingUnlessLately, noticeUseful } from '../../db/mail.ts'
import { nothing, type Read, type Reading } from '../../db/statement.ts'
import { carryOut, type Transaction } from '../../db/transaction.ts'
import { isDeviceText, mintDevice } from '../../domain/device.ts'
import { digestToken } from '../../domain/onetimetoken.ts'
import {
  type ClientChange,
  changesOfClient,
  type SessionClient,
} from '../../domain/sessionclient.ts'
import type { Client, SessionKind, StartedSession } from '../people.ts'
import { deviceNameOf, keptUserAgent } from '../session/devicename.ts'
import { type SessionStarter, starting } from '../session/start.ts'
import { auditingDeed } from '../trail.ts'

/** Somebody whose password or code was right. */
export interface Arrival {
  readonly organizationId: string
  readonly user: { readonly id: string; readonly email: string; readonly groups: readonly string[] }
  /** RFC 8176. */
  readonly methods: readonly string[]
  readonly kind: SessionKind
  readonly client: Client
}

/** Browsers by which one person is known again. */
const mostDevices = 20
/** Former sign-ins that tell what is familiar. */
const mostSignIns = 50
/** Seconds in which one is told once. */
const mailPause = 3600

/** What tells whether a sign-in is familiar; read before it. */
export function familiarTo(userId: string): Reading<readonly SessionClient[]> {
  return lastSignIns(userId, mostSignIns)
}

/** What lets somebody in begins with, for whoever has something to read in the same message; and the text of the browser's cookie. */
export function entering({ organizationId, user, kind, client }: Arrival) {
  const text = textOfDevice(kind, client)
  const device =
    text === undefined
      ? nothing
      : keepingDevice({ organizationId, userId: user.id, digest: digestToken(text) })
  return { text, readings: [...starting(user.id), device] as const }
}

type Entering = ReturnType<typeof entering>

/** What the transaction has begun with. */
export interface Entered {
  readonly text: Entering['text']
  readonly read: Read<Entering['readings']>
}

/**
 * Lets somebody in: knows the browser again or keeps it, starts the session, writes down who came, and from where if that is
 * new. The transaction holds the user's row.
 * @param before from where the person signed in before
 * @param closing what else is to be written
 * @param entered what was read already; then this is the last that the transaction does
 * @returns undefined when the user may not sign in any more
 */
export async function letIn(
  tx: Transaction,
  starter: Pick<SessionStarter, 'start'>,
  arrival: Arrival,
  before: readonly SessionClient[],
  closing: readonly string[] = [],
  entered?: Entered,
): Promise<StartedSession | undefined> {
  const { organizationId, user, methods, kind, client } = arrival
  const { text, read } = entered ?? (await enter(tx, arrival))
  const [active, organization, eldest, kept] = read
  const device = kept && text !== undefined ? { ...kept, text } : undefined
  const along = (sessionId: string) => [
    ...closing,
    ...noting(arrival, before, device?.known, sessionId),
  ]
  const options = {
    begun: [active, organization, eldest] as const,
    along,
    last: entered !== undefined,
  }
  return starter.start(tx, { organizationId, user, methods, device }, kind, client, options)
}

async function enter(tx: Transaction, arrival: Arrival): Promise<Entered> {
  const { text, readings } = entering(arrival)
  return { text, read: await carryOut(tx, [], readings) }
}

/** Who came, and from where if that is new. */
function noting(
  arrival: Arrival,
  before: readonly SessionClient[],
  known: boolean | undefined,
  sessionId: string,
): readonly string[] {
  const { organizationId, user, methods, kind, client } = arrival
  const now = { address: client.address, deviceName: deviceNameOf(keptUserAgent(client.userAgent)) }
  const unfamiliar = unfamiliarOf(before, now, isProgram(client) ? undefined : known)
  const deed = {
    organizationId,
    userId: user.id,
    target: { kind: 'session', id: sessionId, name: now.deviceName },
    requestId: client.requestId,
  } as const
  const detail = { methods, kind, address: client.address }
  const signedIn = auditingDeed({
    ...deed,
    action: 'user.signed_in',
    target: { kind: 'user', id: user.id, name: user.email },
    detail: { ...detail, session: sessionId },
  })
  const flagged = { ...deed, action: 'session.unfamiliar', detail: { ...detail, unfamiliar } }
  return [
    signedIn,
    ...(known === false ? [forgettingDevices(user.id, mostDevices)] : []),
    ...(unfamiliar.length > 0 ? [auditingDeed(flagged)] : []),
    ...(unfamiliar.includes('device') ? [tellOf(arrival, now)] : []),
  ]
}

/**
 * The text of the cookie stays as it is, whichever organization gave it: one browser is one device, of one or more people. A
 * program has none.
 */
function textOfDevice(kind: SessionKind, { device }: Client): string | undefined {
  if (kind === 'token') return undefined
  return isDeviceText(device) ? device : mintDevice(randomBytes(32))
}

/** Whether it is no browser, by its own word, and keeps no cookies: each of its sign-ins would be one of a new device. */
function isProgram({ device, userAgent }: Client): boolean {
  return device === undefined && !(userAgent?.startsWith('Mozilla/') ?? false)
}

/**
 * What about a sign-in is new for its person; nothing at their first one.
 * @param known whether the browser is; undefined for a program, which keeps no cookie and is known by its name and network
 */
function unfamiliarOf(
  before: readonly SessionClient[],
  now: SessionClient,
  known: boolean | undefined,
): readonly ClientChange[] {
  if (before.length === 0) return []
  const changes = before.map((former) => changesOfClient(former, now))
  const knownDevice = known ?? changes.some((each) => each.length === 0)
  const knownNetwork = changes.some((each) => !each.includes('network'))
  return [
    ...(knownDevice ? [] : (['device'] as const)),
    ...(knownNetwork ? [] : (['network'] as const)),
  ]
}

function tellOf({ organizationId, user, client }: Arrival, { deviceName }: SessionClient) {
  const mail = {
    organizationId,
    template: 'unfamiliar_sign_in',
    recipient: user.email,
    subjectId: user.id,
    arguments: {
      device: deviceName,
      at: new Date().toISOString(),
      ...(client.address !== undefined && { address: client.address }),
    },
    usefulFor: noticeUseful,
  } as const
  return mailingUnlessLately(mail, mailPause)
}
