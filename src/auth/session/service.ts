import type { Pool } from 'pg'
import { revokeAccessToken } from '../../db/accesstoken.ts'
import { theirOrganization } from '../../db/organization.ts'
import { sessionOfRefreshToken, useRefreshToken } from '../../db/refreshtoken.ts'
import {
  endSession,
  liveSessionsOf,
  type SessionForTokens,
  type SessionRow,
  useSession,
} from '../../db/session.ts'
import { carryOut, type Transaction, writeInOrganization } from '../../db/transaction.ts'
import type { AccessTokenClaims } from '../../domain/accesstoken.ts'
import { authActor } from '../../domain/actor.ts'
import { type PresentedToken, readToken } from '../../domain/onetimetoken.ts'
import { signInRules } from '../../domain/signinrules.ts'
import { isUuid } from '../../domain/uuid.ts'
import type { Client, Person, Refused, Sessions, SessionView, TokenSession } from '../people.ts'
import type { AccessTokenSigner } from '../token/sign.ts'
import { auditingDeed } from '../trail.ts'
import { noteMove } from './move.ts'
import type { SessionStarter } from './start.ts'

/** More than a user can have. */
const mostListed = 200

/** What an access token of ours says; undefined when it is none, or expired. Whether it was revoked does not matter. */
export type AccessTokenReader = (
  text: string,
) => Promise<Pick<AccessTokenClaims, 'jti' | 'exp' | 'sub' | 'sid' | 'org_id'> | undefined>

export interface SessionServiceOptions {
  readonly pool: Pool
  readonly starter: SessionStarter
  readonly signer: Pick<AccessTokenSigner, 'available'>
  readonly readAccessToken: AccessTokenReader
}

/** What people do with their sessions. */
export class SessionService implements Sessions {
  readonly #options: SessionServiceOptions

  constructor(options: SessionServiceOptions) {
    this.#options = options
  }

  async list({ organizationId, userId, sessionId }: Person): Promise<readonly SessionView[]> {
    return this.#in(organizationId, async (tx) => {
      const [organization] = await carryOut(tx, [], [theirOrganization])
      const since = organization?.sessionsRevokedBefore ?? undefined
      const rows = await liveSessionsOf(tx, userId, mostListed, since)
      return rows.map((row) => viewOf(row, sessionId))
    })
  }

  async revoke(
    person: Person,
    id: string,
    client: Client,
  ): Promise<{ readonly revoked: true } | Refused<'not_found'>> {
    if (!isUuid(id)) return { refused: 'not_found' }
    const { organizationId, userId } = person
    return this.#in(organizationId, async (tx) => {
      const ended = await endSession(tx, id, userId, 'revoked')
      if (!ended) return { refused: 'not_found' }
      await this.#audit(tx, 'session.revoked', { ...ended, organizationId, by: userId }, client)
      return { revoked: true }
    })
  }

  async revokeAll(
    { organizationId, userId, email, sessionId }: Person,
    keep: 'current' | 'none',
    { requestId }: Client,
  ): Promise<{ readonly revoked: number }> {
    const revoked = await this.#in(organizationId, (tx) =>
      this.#options.starter.endAll(tx, {
        organizationId,
        user: { id: userId, email },
        by: userId,
        reason: 'revoked',
        except: keep === 'current' ? sessionId : undefined,
        requestId,
      }),
    )
    return { revoked }
  }

  async end({ organizationId, userId, sessionId }: Person, client: Client): Promise<void> {
    await this.#in(organizationId, async (tx) => {
      const ended = await endSession(tx, sessionId, userId, 'signed_out')
      if (!ended) return
      await this.#audit(tx, 'session.ended', { ...ended, organizationId, by: userId }, client)
    })
  }

  /**
   * Exchanges a refresh token for new tokens. Of any number of uses one succeeds; a second use ends the session, whoever came
   * first, because nobody can tell the thief from the owner (RFC 9700, section 4.14.2).
   */
  async refresh(
    refreshToken: string,
    client: Client,
  ): Promise<TokenSession | Refused<'token_invalid' | 'signing_unavailable'>> {
    const presented = readToken('cr', refreshToken)
    if (!presented) return { refused: 'token_invalid' }
    // Before the token is used up.
    if (!this.#options.signer.available) return { refused: 'signing_unavailable' }
    return this.#in(presented.organizationId, async (tx) => {
      const token = await useRefreshToken(tx, presented.digest)
      if (!token) return { refused: 'token_invalid' }
      if (token.use === 'again') {
        await this.#endFamily(tx, presented, token.sessionId, 'session.refresh_reused', client)
        return { refused: 'token_invalid' }
      }
      const session = await useSession(tx, token.sessionId)
      const tokens = session && (await this.#tokensFor(tx, presented, session, client))
      return tokens ?? { refused: 'token_invalid' }
    })
  }

  async revokeToken(token: string, client: Client): Promise<void> {
    const presented = readToken('cr', token)
    if (presented) return this.#revokeRefreshToken(presented, client)
    const claims = await this.#options.readAccessToken(token)
    if (!claims) return
    const { org_id: organizationId, jti, exp, sub } = claims
    await this.#in(organizationId, async (tx) => {
      const revoked = { organizationId, jti, expiresAt: new Date(exp * 1000) }
      if (!(await revokeAccessToken(tx, revoked))) return
      const deed = auditingDeed({
        organizationId,
        userId: sub,
        action: 'access_token.revoked',
        target: { kind: 'access_token', id: jti, name: '' },
        requestId: client.requestId,
        detail: { session: claims.sid },
      })
      await carryOut(tx, [deed], [])
    })
  }

  async #revokeRefreshToken(presented: PresentedToken, client: Client): Promise<void> {
    await this.#in(presented.organizationId, async (tx) => {
      const sessionId = await sessionOfRefreshToken(tx, presented.digest)
      if (sessionId === undefined) return
      await this.#endFamily(tx, presented, sessionId, 'session.revoked', client)
    })
  }

  async #endFamily(
    tx: Transaction,
    { organizationId }: PresentedToken,
    sessionId: string,
    action: 'session.refresh_reused' | 'session.revoked',
    client: Client,
  ): Promise<void> {
    const revoked = action === 'session.revoked'
    const ended = await endSession(tx, sessionId, undefined, revoked ? 'revoked' : 'refresh_reused')
    if (!ended) return
    // Who used it again is not known.
    const by = revoked ? ended.userId : undefined
    await this.#audit(tx, action, { ...ended, organizationId, by }, client)
  }

  /** Undefined when the organization's settings or its end say that the session is over. */
  async #tokensFor(
    tx: Transaction,
    { organizationId }: PresentedToken,
    session: SessionForTokens,
    client: Client,
  ): Promise<TokenSession | undefined> {
    const [organization] = await carryOut(tx, [], [theirOrganization])
    if (!organization) return undefined
    const { sessionsRevokedBefore: since } = organization
    if (since && session.startedAt < since) return undefined
    const rules = signInRules(organization.settings)
    const by = session.userId
    await this.#audit(tx, 'session.refreshed', { ...session, organizationId, by }, client)
    await noteMove(tx, { ...session, organizationId }, client)
    const { userId: id, email, groups } = session
    const user = { id, email, groups }
    return this.#options.starter.issueTokens(tx, { organization, rules, user, session })
  }

  async #audit(
    tx: Transaction,
    action: string,
    session: {
      readonly organizationId: string
      readonly id: string
      readonly deviceName: string
      /** The user who did it; undefined: nobody is known. */
      readonly by: string | undefined
    },
    { address, requestId }: Client,
  ): Promise<void> {
    const { organizationId, id, deviceName: name, by: userId } = session
    const target = { kind: 'session' as const, id, name }
    const deed = { organizationId, userId, action, target, requestId, detail: { address } }
    await carryOut(tx, [auditingDeed(deed)], [])
  }

  #in<T>(organizationId: string, work: (tx: Transaction) => Promise<T>): Promise<T> {
    return writeInOrganization(this.#options.pool, { organizationId, actor: authActor }, work)
  }
}

function viewOf(row: SessionRow, current: string): SessionView {
  const { id, kind, deviceName, address, createdAt, lastSeenAt, expiresAt } = row
  const rest = { kind, deviceName, createdAt, lastSeenAt, expiresAt }
  return { id, ...rest, address: address ?? undefined, current: id === current }
}
