import { randomBytes, randomUUID } from 'node:crypto'
import { newId } from '../../db/identity.ts'
import { bindingsOf, customRoles } from '../../db/memberrole.ts'
import { theirOrganization } from '../../db/organization.ts'
import { refreshTokenInsertion } from '../../db/refreshtoken.ts'
import {
  eldestSessions,
  endSessionsOf,
  renewSession,
  sessionEnding,
  sessionInsertion,
  signInNote,
} from '../../db/session.ts'
import type { Read } from '../../db/statement.ts'
import { carryOut, carryOutLast, type Transaction } from '../../db/transaction.ts'
import { accessTokenClient, audienceOf } from '../../domain/accesstoken.ts'
import { roleNamesOf, rolesOfPerson } from '../../domain/member.ts'
import { digestToken, mintToken, tokenEntropy } from '../../domain/onetimetoken.ts'
import { mintSession, tokenSessionDigest } from '../../domain/session.ts'
import { type SignInRules, signInRules } from '../../domain/signinrules.ts'
import type { WallClock } from '../clock.ts'
import type { Client, SessionKind, StartedSession, TokenSession } from '../people.ts'
import { type AccessTokenSigner, SigningUnavailableError } from '../token/sign.ts'
import { auditingDeed } from '../trail.ts'
import { deviceNameOf, keptUserAgent } from './devicename.ts'
import { endReplaced } from './replacement.ts'

/** Somebody who has just shown who they are. */
export interface SignedIn {
  readonly organizationId: string
  readonly user: {
    readonly id: string
    /** Canonical. */
    readonly email: string
    readonly groups: readonly string[]
  }
  /** What they showed, as RFC 8176 names it: `pwd`, `otp`. */
  readonly methods: readonly string[]
  /** The browser, by which it is known again; a program has none. */
  readonly device: { readonly id: string; readonly text: string } | undefined
}

export interface SessionStarterOptions {
  /** Who signs the access tokens, as they say it: the public URL, without a slash at its end. */
  readonly issuer: string
  readonly signer: AccessTokenSigner
  readonly clock: Pick<WallClock, 'now'>
}

/** Live sessions that one user can have; beyond it the eldest ends. */
const most = 100

/**
 * What the start of a session begins with: notes the sign-in at the user, whose row is held from then on, and reads what it
 * needs to know.
 */
export function starting(userId: string) {
  return [signInNote(userId), theirOrganization, eldestSessions(userId, most - 1)] as const
}

/** How the start of a session fits into its transaction. */
export interface StartOptions {
  /** Undefined: it is still to be done. */
  readonly begun?: Read<ReturnType<typeof starting>>
  /** What else is written along with the session. */
  readonly along?: (sessionId: string) => readonly string[]
  /** Whether nothing comes after it: then it may commit, which saves a round trip. */
  readonly last?: boolean
}

/** Starts, renews and ends sessions, always in the transaction of what they start, change or end with. */
export class SessionStarter {
  readonly #options: SessionStarterOptions

  constructor(options: SessionStarterOptions) {
    this.#options = options
  }

  /** Whether sessions of this kind can be started: to be asked before a password is judged. */
  available(kind: SessionKind): boolean {
    return kind === 'browser' || this.#options.signer.available
  }

  /**
   * Starts a session, notes the sign-in at the user, and writes `session.started` into the audit trail. The session that the
   * browser had before ends. In the same transaction the caller makes sure that what was shown is still good (the password is
   * still the current one): it may have been changed since it was judged, and then nothing would end this session.
   * @returns undefined when the user is suspended, not verified or gone, or the organization is gone
   * @throws SigningUnavailableError when access tokens are wanted and cannot be signed
   */
  async start(
    tx: Transaction,
    { organizationId, user, methods, device }: SignedIn,
    kind: SessionKind,
    client: Client,
    { begun, along = () => [], last = false }: StartOptions = {},
  ): Promise<StartedSession | undefined> {
    if (!this.available(kind)) throw new SigningUnavailableError('access tokens cannot be signed')
    const [active, organization, over] = begun ?? (await carryOut(tx, [], starting(user.id)))
    if (!active || !organization) return undefined
    const rules = signInRules(organization.settings)
    const sessionId = newId()
    const cookie = mintSession(randomBytes(32))
    const userAgent = keptUserAgent(client.userAgent)
    const deviceName = deviceNameOf(userAgent)
    const deed = { organizationId, userId: user.id, requestId: client.requestId } as const
    const started = auditingDeed({
      ...deed,
      action: 'session.started',
      target: { kind: 'session', id: sessionId, name: deviceName },
      detail: { kind, methods, address: client.address },
    })
    const insertion = sessionInsertion({
      organizationId,
      id: sessionId,
      userId: user.id,
      kind,
      digest: kind === 'browser' ? digestToken(cookie) : tokenSessionDigest(sessionId),
      methods,
      ...secondsOf(kind, rules),
      address: client.address?.slice(0, 64),
      userAgent,
      deviceName,
      deviceId: device?.id,
    })
    const ended = over.flatMap((id) => [
      sessionEnding(id, 'too_many'),
      auditingDeed({
        ...deed,
        action: 'session.revoked',
        target: { kind: 'session', id, name: '' },
        detail: { reason: 'too_many' },
      }),
    ])
    const statements = [started, ...ended, ...along(sessionId)]
    if (kind === 'browser') {
      await endReplaced(tx, organizationId, client)
      const write = last ? carryOutLast : carryOut
      const [{ expiresAt }] = await write(tx, statements, [insertion])
      return { kind, sessionId, cookie, device: device?.text ?? '', expiresAt }
    }
    const [{ startedAt, expiresAt }] = await carryOut(tx, statements, [insertion])
    return this.issueTokens(tx, {
      organization: { id: organizationId, name: organization.name, owners: organization.owners },
      rules,
      user,
      session: { id: sessionId, methods, startedAt, expiresAt },
    })
  }

  /** Issues an access token and a refresh token for a session. @throws SigningUnavailableError */
  async issueTokens(tx: Transaction, of: TokensOf): Promise<TokenSession> {
    const { issuer, signer, clock } = this.#options
    const { organization, user, session, rules } = of
    const refreshToken = mintToken('cr', organization.id, randomBytes(tokenEntropy))
    const [bindings, custom] = await carryOut(
      tx,
      [refreshTokenInsertion(session.id, digestToken(refreshToken))],
      [bindingsOf(user.email, user.groups), customRoles],
    )
    const roles = roleNamesOf(rolesOfPerson(user, bindings, organization.owners), custom)
    const now = Math.floor(clock.now() / 1000)
    const end = Math.floor(session.expiresAt.getTime() / 1000)
    const exp = Math.min(now + Math.ceil(rules.sessions.accessToken / 1000), end)
    const accessToken = await signer.sign({
      iss: issuer,
      aud: audienceOf(issuer, organization.id),
      sub: user.id,
      client_id: accessTokenClient,
      jti: randomUUID(),
      iat: now,
      nbf: now,
      exp,
      auth_time: Math.floor(session.startedAt.getTime() / 1000),
      amr: session.methods,
      org: organization.name,
      org_id: organization.id,
      sid: session.id,
      roles,
    })
    const { id: sessionId } = session
    return { kind: 'token', sessionId, accessToken, expiresIn: exp - now, refreshToken }
  }

  /**
   * Gives a browser's session another id, after its password or its privileges changed.
   * @returns the text of its new cookie; undefined when it has none, or is over
   */
  async renew(tx: Transaction, sessionId: string): Promise<string | undefined> {
    const cookie = mintSession(randomBytes(32))
    return (await renewSession(tx, sessionId, digestToken(cookie))) ? cookie : undefined
  }

  /**
   * Ends the sessions of a user, those included that are being started, and writes `session.all_ended` into the audit trail.
   * @returns how many ended
   */
  async endAll(tx: Transaction, ending: SessionsEnding): Promise<number> {
    const { organizationId, user, by, reason, except, requestId } = ending
    const count = await endSessionsOf(tx, user.id, reason, except)
    const deed = auditingDeed({
      organizationId,
      userId: by,
      action: 'session.all_ended',
      target: { kind: 'user', id: user.id, name: user.email },
      requestId,
      detail: { reason, count, ...(except !== undefined && { except }) },
    })
    await carryOut(tx, [deed], [])
    return count
  }
}

/** What tokens are issued for. */
export interface TokensOf {
  readonly organization: {
    readonly id: string
    readonly name: string
    /** Addresses. */
    readonly owners: readonly string[]
  }
  readonly rules: SignInRules
  readonly user: SignedIn['user']
  readonly session: {
    readonly id: string
    readonly methods: readonly string[]
    readonly startedAt: Date
    readonly expiresAt: Date
  }
}

export interface SessionsEnding {
  readonly organizationId: string
  readonly user: { readonly id: string; readonly email: string }
  /** The user who has them ended; undefined: nobody who is known, as with a token of a mail. */
  readonly by: string | undefined
  /** For the audit trail: `password_reset`, `suspended`. At most 64 characters. */
  readonly reason: string
  /** A session that stays. */
  readonly except?: string | undefined
  readonly requestId: string | undefined
}

/** Ten years: what settings say beyond it is no time that a session needs. */
const longest = 315_360_000

/** A program's session lasts for as long as its refresh tokens do: it is idle between two of them. */
function secondsOf(kind: SessionKind, { sessions }: SignInRules) {
  const seconds = (milliseconds: number): number =>
    Math.min(Math.max(Math.ceil(milliseconds / 1000), 1), longest)
  return kind === 'browser'
    ? { idle: seconds(sessions.idle), lifetime: seconds(sessions.lifetime) }
    : { idle: seconds(sessions.refreshToken), lifetime: seconds(sessions.refreshToken) }
}
