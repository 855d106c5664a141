import { integer, literal, type Reading } from './statement.ts'
import type { Transaction } from './transaction.ts'

/** Seconds for which an idle session is still given out: when it was last seen is written down late. */
const idleGrace = 300

/** A session that begins. */
export interface NewSession {
  readonly organizationId: string
  readonly id: string
  readonly userId: string
  readonly kind: 'browser' | 'token'
  /** SHA-256, 32 bytes. */
  readonly digest: Buffer
  /** RFC 8176. */
  readonly methods: readonly string[]
  /** Seconds, both of them. */
  readonly idle: number
  readonly lifetime: number
  readonly address: string | undefined
  readonly userAgent: string | undefined
  readonly deviceName: string
  readonly deviceId: string | undefined
}

/** Writes a session down. @returns when it began and when it will end at the latest */
export function sessionInsertion(
  session: NewSession,
): Reading<{ readonly startedAt: Date; readonly expiresAt: Date }> {
  const { organizationId, id, userId, kind, digest, methods, idle, lifetime } = session
  const values = [
    literal(organizationId),
    literal(id),
    literal(userId),
    literal(kind),
    literal(`\\x${digest.toString('hex')}`),
    `array[${methods.map(literal).join(', ')}]::text[]`,
    integer(idle),
    `now() + make_interval(secs => ${integer(lifetime)})`,
    orNull(session.address),
    orNull(session.userAgent),
    literal(session.deviceName),
    orNull(session.deviceId),
  ]
  return {
    text: `insert into cardea.sessions (organization_id, id, user_id, kind, digest, methods, idle_timeout, expires_at, address, user_agent,
        device_name, device_id)
      values (${values.join(', ')}) returning authenticated_at as "startedAt", expires_at as "expiresAt"`,
    decode: ([row]) => {
      if (!row) throw new Error('the session was not written')
      return row as { startedAt: Date; expiresAt: Date }
    },
  }
}

function orNull(value: string | undefined): string {
  return value === undefined ? 'null' : literal(value)
}

/**
 * Notes that a user signs in, and holds the user's row until the commit: what ends a person's sessions waits for this one.
 * @returns whether there is such a user, verified and not suspended
 */
export function signInNote(userId: string): Reading<boolean> {
  return {
    text: `update cardea.users set last_signed_in_at = now()
      where id = ${literal(userId)} and suspended_at is null and email_verified_at is not null returning id`,
    decode: (rows) => rows.length === 1,
  }
}

/** The eldest live sessions of a user, beyond the latest `most`. They are held until the commit. */
export function eldestSessions(userId: string, most: number): Reading<readonly string[]> {
  return {
    text: `select id from cardea.sessions
      where id in (
        select id from cardea.sessions where user_id = ${literal(userId)} and revoked_at is null and expires_at > now()
        order by created_at desc, id desc offset ${integer(most)})
        and revoked_at is null
      for no key update`,
    decode: (rows) => rows.map(({ id }) => id as string),
  }
}

/**
 * Gives a browser's session another cookie; the one before is of no use from the commit on.
 * @returns whether there is such a session that is not over
 */
export async function renewSession(
  tx: Transaction,
  sessionId: string,
  digest: Buffer,
): Promise<boolean> {
  const { rowCount } = await tx.$client.query(
    `update cardea.sessions set digest = $2
     where id = $1 and kind = 'browser' and revoked_at is null and expires_at > now()`,
    [sessionId, digest],
  )
  return rowCount === 1
}

/** A session that ended just now. */
export interface EndedSession {
  readonly id: string
  readonly userId: string
  readonly deviceName: string
}

const ended = 'id, user_id as "userId", device_name as "deviceName"'

/** @param userId whose it must be; undefined: anybody's */
export async function endSession(
  tx: Transaction,
  sessionId: string,
  userId: string | undefined,
  reason: string,
): Promise<EndedSession | undefined> {
  const { rows } = await tx.$client.query<EndedSession>(
    `update cardea.sessions set revoked_at = now(), revoked_for = $3
     where id = $1 and ($2::uuid is null or user_id = $2) and revoked_at is null and expires_at > now()
     returning ${ended}`,
    [sessionId, userId ?? null, reason],
  )
  return rows[0]
}

/**
 * Ends all sessions of a user, those included that are being started now.
 * @param except one that stays
 * @returns how many ended
 */
export async function endSessionsOf(
  tx: Transaction,
  userId: string,
  reason: string,
  except?: string,
): Promise<number> {
  // The row is locked first: a sign-in under way holds it until its session is there to be ended.
  await tx.$client.query('select from cardea.users where id = $1 for no key update', [userId])
  const { rowCount } = await tx.$client.query(
    `update cardea.sessions set revoked_at = now(), revoked_for = $2
     where user_id = $1 and revoked_at is null and expires_at > now() and id is distinct from $3`,
    [userId, reason, except ?? null],
  )
  return rowCount ?? 0
}

/** A live session, as its owner sees it. */
export interface SessionRow {
  readonly id: string
  readonly kind: 'browser' | 'token'
  readonly deviceName: string
  readonly address: string | null
  readonly createdAt: Date
  readonly lastSeenAt: Date
  readonly expiresAt: Date
}

/**
 * The sessions of a user that are not over, the last used first, at most `most`.
 * @param since no session counts that began before
 */
export async function liveSessionsOf(
  tx: Transaction,
  userId: string,
  most: number,
  since: Date | undefined,
): Promise<readonly SessionRow[]> {
  const { rows } = await tx.$client.query<SessionRow>(
    `select s.id, s.kind, s.device_name as "deviceName", s.address, s.created_at as "createdAt", s.last_seen_at as "lastSeenAt",
       s.expires_at as "expiresAt"
     from cardea.sessions s
     join cardea.users u on (u.organization_id, u.id) = (s.organization_id, s.user_id)
     where s.user_id = $1 and s.revoked_at is null and s.expires_at > now()
       and s.last_seen_at + make_interval(secs => s.idle_timeout + $3) > now()
       and s.authenticated_at >= greatest(u.sessions_revoked_before, $4, '-infinity')
     order by s.last_seen_at desc, s.id desc limit $2`,
    [userId, most, idleGrace, since ?? null],
  )
  return rows
}

/** A session that is not over, with whom it is of, for new tokens. */
export interface SessionForTokens {
  readonly id: string
  readonly kind: 'browser' | 'token'
  readonly methods: readonly string[]
  readonly startedAt: Date
  readonly expiresAt: Date
  readonly address: string | null
  readonly deviceName: string
  readonly userId: string
  readonly email: string
  readonly groups: readonly string[]
}

/**
 * Notes that a session is used, and tells all that new tokens of it say.
 * @returns undefined when it is over, or its user is suspended, not verified or gone
 */
export async function useSession(
  tx: Transaction,
  sessionId: string,
): Promise<SessionForTokens | undefined> {
  const { rows } = await tx.$client.query<SessionForTokens>(
    `update cardea.sessions s set last_seen_at = now()
     from cardea.users u
     where s.id = $1 and (u.organization_id, u.id) = (s.organization_id, s.user_id)
       and s.revoked_at is null and s.expires_at > now() and s.last_seen_at + make_interval(secs => s.idle_timeout) > now()
       and u.suspended_at is null and u.email_verified_at is not null
       and s.authenticated_at >= coalesce(u.sessions_revoked_before, '-infinity')
     returning s.id, s.kind, s.methods, s.authenticated_at as "startedAt", s.expires_at as "expiresAt",
       s.address, s.device_name as "deviceName", s.user_id as "userId", u.email, u.groups`,
    [sessionId],
  )
  return rows[0]
}

/** A live session as it was last written down, held until the commit. */
export async function lockedSession(
  tx: Transaction,
  sessionId: string,
): Promise<
  Pick<SessionForTokens, 'id' | 'kind' | 'userId' | 'address' | 'deviceName'> | undefined
> {
  const { rows } = await tx.$client.query(
    `select id, kind, user_id as "userId", address, device_name as "deviceName" from cardea.sessions
     where id = $1 and revoked_at is null for no key update`,
    [sessionId],
  )
  return rows[0]
}

/** Writes down from where a session is used by now. @param to.userAgent undefined: it stays as it is */
export async function moveSession(
  tx: Transaction,
  sessionId: string,
  to: {
    readonly address: string | undefined
    readonly userAgent: string | undefined
    readonly deviceName: string
  },
): Promise<void> {
  await tx.$client.query(
    'update cardea.sessions set address = $2, user_agent = coalesce($3, user_agent), device_name = $4 where id = $1',
    [sessionId, to.address ?? null, to.userAgent ?? null, to.deviceName],
  )
}

/** The live session that a cookie's text stands for, of whichever organization. */
export async function sessionByDigest(
  tx: Transaction,
  digest: Buffer,
): Promise<{ readonly id: string; readonly organizationId: string } | undefined> {
  const { rows } = await tx.$client.query<{ id: string; organizationId: string }>(
    'select id, organization_id as "organizationId" from cardea.find_sessions_by_digest(array[$1::bytea])',
    [digest],
  )
  return rows[0]
}

/** Ends a session that has been found to be live. */
export function sessionEnding(sessionId: string, reason: string): string {
  return `update cardea.sessions set revoked_at = now(), revoked_for = ${literal(reason)}
    where id = ${literal(sessionId)} and revoked_at is null`
}
