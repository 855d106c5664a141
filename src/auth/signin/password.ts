import type { Pool } from 'pg'
import { deviceOf } from '../../db/device.ts'
import { mailing } from '../../db/mail.ts'
import { countOneTimeTokens } from '../../db/onetimetoken.ts'
import { theirOrganization } from '../../db/organization.ts'
import { isCurrentPassword, rehashingPassword } from '../../db/password.ts'
import { carryOut, carryOutLast, undo, writeInOrganization } from '../../db/transaction.ts'
import { holdingUser, type UserWithPassword, userWithPasswordByEmail } from '../../db/user.ts'
import { authActor } from '../../domain/actor.ts'
import { canonicalEmail } from '../../domain/email.ts'
import { tokenLifetime } from '../../domain/onetimetoken.ts'
import { passwordBytes } from '../../domain/password.ts'
import { signInRules } from '../../domain/signinrules.ts'
import type { PasswordHasher, Verification } from '../password/hasher.ts'
import type { Refused, SignIn, SignInRequest, StartedSession } from '../people.ts'
import type { SessionStarter } from '../session/start.ts'
import { entering, familiarTo, letIn } from './arrival.ts'
import {
  beginAttemptLast,
  type CountedAttempts,
  endingAttempt,
  takeBackUnjudged,
  withdrawAttempt,
} from './attempts.ts'
import { digestOfDevice } from './device.ts'
import { type FailureReason, recordFailure } from './failure.ts'
import { nowhere, type Organizations, organizationMeant } from './organizations.ts'

export interface PasswordSignInOptions {
  /** Connections of people's own: signing in must not slow the checks. */
  readonly pool: Pool
  readonly organizations: Organizations
  /** `.id.example.com`: each organization has a host below that domain. */
  readonly organizationHosts: string | undefined
  readonly hasher: PasswordHasher
  readonly starter: SessionStarter
}

/** Seconds after a mail to verify an address in which no other one is sent. */
const verificationPause = 600

type PasswordRequest = SignInRequest & { readonly password: string }
type Answer = Awaited<ReturnType<SignIn['withPassword']>>

/** What is known when the password is about to be judged. */
interface Begun {
  readonly attempt: CountedAttempts
  /** Undefined: there is none. */
  readonly account: UserWithPassword | undefined
}

interface Whose {
  readonly organizationId: string
  readonly account: UserWithPassword
}

/**
 * Signing in by a password. Whether there is the organization, the account or its password: the same is read, counted, computed
 * and written, so that neither the answer nor its time tells. It is counted before it is judged, and judged outside of any
 * transaction.
 */
export class PasswordSignIn {
  readonly #options: PasswordSignInOptions

  constructor(options: PasswordSignInOptions) {
    this.#options = options
  }

  async signIn(request: PasswordRequest): Promise<Answer> {
    const { organizations, organizationHosts, hasher, starter } = this.#options
    if (!starter.available(request.kind)) return { refused: 'signing_unavailable' }
    const email = canonicalEmail(request.email)
    // Neither is any account's, so that nothing is told: no account has such an address, and none such a password.
    if (email === undefined || !passwordBytes(request.password))
      return { refused: 'sign_in_failed' }
    // Before anything is done for it: in a storm, this is what most requests get.
    if (hasher.full) return { refused: 'busy', retryAfter: 2 }
    const { organization: hint } = request
    const { id } = organizationMeant(hint, email, organizations, organizationHosts) ?? nowhere
    const begun = await this.#begin(id, email, request)
    if ('refused' in begun) return begun
    return this.#judge({ ...request, email }, begun)
  }

  async #begin(
    organizationId: string,
    email: string,
    { client }: PasswordRequest,
  ): Promise<Begun | Refused<'sign_in_method_not_allowed'>> {
    const readings = [
      theirOrganization,
      userWithPasswordByEmail(email),
      deviceOf(email, digestOfDevice(client.device)),
    ] as const
    const { pool } = this.#options
    const begun = await writeInOrganization(
      pool,
      { organizationId, actor: authActor },
      async (tx, organization, found, deviceId) => {
        const rules = signInRules(organization?.settings ?? {})
        if (!rules.methods.includes('Password')) {
          return { refused: 'sign_in_method_not_allowed' } as const
        }
        const whose = { email, deviceId, address: client.address }
        const attempt = await beginAttemptLast(tx, organizationId, whose, rules)
        return { attempt, account: organization && found }
      },
      readings,
    )
    if (!('refused' in begun)) await takeBackUnjudged(pool, begun.attempt)
    return begun
  }

  async #judge(request: PasswordRequest, begun: Begun): Promise<Answer> {
    const { pool, hasher } = this.#options
    const { attempt, account } = begun
    const locked = attempt.lockedFor !== undefined
    const hash = locked ? undefined : account?.password?.hash
    const verified = await hasher.verify(hash, request.password)
    if ('refused' in verified) {
      await withdrawAttempt(pool, attempt)
      return verified
    }
    // Locked, nothing was judged: whether the password was right is not even known here.
    if (locked) return { refused: 'account_locked', retryAfter: attempt.lockedFor ?? 1 }
    if (!account) return this.#fail(request, begun, 'no_account')
    if (!account.password) return this.#fail(request, begun, 'no_password')
    if (!verified.matches) return this.#fail(request, begun, 'wrong_password')
    if (account.suspended) return this.#fail(request, begun, 'suspended')
    return this.#admit(request, { attempt, account }, account.password.id, verified)
  }

  async #admit(
    request: PasswordRequest,
    { attempt, account }: Begun & { readonly account: UserWithPassword },
    passwordId: string,
    { outdated }: Verification,
  ): Promise<Answer> {
    const { organizationId } = attempt
    // It is known only now, and not for long.
    const anew = outdated ? await this.#options.hasher.hash(request.password) : undefined
    const rehashing = anew && 'hash' in anew ? [rehashingPassword(passwordId, anew.hash)] : []
    const closing = [...endingAttempt(attempt), ...rehashing]
    const answer = account.verified
      ? await this.#letIn(request, { organizationId, account }, passwordId, closing)
      : await this.#leaveOut({ organizationId, account }, passwordId, closing)
    if (typeof answer !== 'string') return answer
    if (answer === 'email_not_verified') await this.#sendVerification(organizationId, account)
    return this.#fail(
      request,
      { attempt: { ...attempt, lockingUntil: undefined }, account },
      answer,
    )
  }

  /** What begins the session is read and written before it is known whether there will be one: it is undone when there is none. */
  async #letIn(
    { kind, client }: PasswordRequest,
    { organizationId, account }: Whose,
    passwordId: string,
    closing: readonly string[],
  ): Promise<StartedSession | 'changed_meanwhile' | 'suspended'> {
    const { pool, starter } = this.#options
    const arrival = { organizationId, user: account, methods: ['pwd'], kind, client }
    const { text, readings } = entering(arrival)
    return writeInOrganization(
      pool,
      { organizationId, actor: authActor },
      async (tx, active, organization, eldest, kept, before, current) => {
        if (!active || !organization || !current) {
          await undo(tx)
          // Changed or reset since it was judged: then nothing else would end this session.
          return current ? 'suspended' : 'changed_meanwhile'
        }
        const entered = { text, read: [active, organization, eldest, kept] as const }
        return (await letIn(tx, starter, arrival, before, closing, entered)) ?? 'suspended'
      },
      // The user's row is held before it is asked whether the password is the current one.
      [...readings, familiarTo(account.id), isCurrentPassword(passwordId)],
    )
  }

  async #leaveOut(
    { organizationId, account }: Whose,
    passwordId: string,
    closing: readonly string[],
  ): Promise<'changed_meanwhile' | 'email_not_verified'> {
    return writeInOrganization(
      this.#options.pool,
      { organizationId, actor: authActor },
      async (tx, _held, current) => {
        if (!current) return 'changed_meanwhile'
        await carryOutLast(tx, closing, [])
        return 'email_not_verified'
      },
      [holdingUser(account.id), isCurrentPassword(passwordId)],
    )
  }

  async #fail(
    { email, client }: PasswordRequest,
    { attempt, account }: Begun,
    reason: FailureReason,
  ): Promise<Refused<'sign_in_failed' | 'email_not_verified'>> {
    const failure = { attempt, email, userId: account?.id, reason, client }
    await recordFailure(this.#options.pool, failure)
    // Told to nobody but who knows the password.
    return { refused: reason === 'email_not_verified' ? reason : 'sign_in_failed' }
  }

  /** Whoever knows the password and lost the mail gets another one. */
  async #sendVerification(organizationId: string, { id, email }: UserWithPassword): Promise<void> {
    await writeInOrganization(
      this.#options.pool,
      { organizationId, actor: authActor },
      async (tx) => {
        if ((await countOneTimeTokens(tx, id, 'email_verification', verificationPause)) > 0) return
        const mail = { organizationId, template: 'email_verification', recipient: email } as const
        await carryOut(
          tx,
          mailing({ ...mail, subjectId: id, usefulFor: tokenLifetime.email_verification }),
          [],
        )
      },
    )
  }
}
