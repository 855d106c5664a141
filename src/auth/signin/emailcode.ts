import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { Pool } from 'pg'
import { deviceOf } from '../../db/device.ts'
import {
  codeOfChallenge,
  insertChallenge,
  takeBackTry,
  tryChallenge,
  useChallenge,
} from '../../db/emailcode.ts'
import { newId } from '../../db/identity.ts'
import { mailing } from '../../db/mail.ts'
import { theirOrganization } from '../../db/organization.ts'
import { carryOut, writeInOrganization } from '../../db/transaction.ts'
import {
  holdingUser,
  type UserWithPassword,
  userWithPasswordByEmail,
  userWithPasswordById,
  verifyUser,
} from '../../db/user.ts'
import { authActor } from '../../domain/actor.ts'
import { canonicalEmail } from '../../domain/email.ts'
import { emailCode, readEmailCode, subjectOfNobody } from '../../domain/emailcode.ts'
import {
  digestToken,
  mintToken,
  type PresentedToken,
  readToken,
  tokenEntropy,
} from '../../domain/onetimetoken.ts'
import { signInRules } from '../../domain/signinrules.ts'
import type { PasswordHasher } from '../password/hasher.ts'
import type { Client, Refused, SessionKind, SignIn } from '../people.ts'
import type { SessionStarter } from '../session/start.ts'
import { auditingDeed } from '../trail.ts'
import { familiarTo, letIn } from './arrival.ts'
import { beginAttempt, type CountedAttempts, endingAttempt, withdrawAttempt } from './attempts.ts'
import { digestOfDevice } from './device.ts'
import { evenly } from './evenly.ts'
import { recordFailure } from './failure.ts'
import { nowhere, type Organizations, organizationMeant } from './organizations.ts'

export interface EmailCodeSignInOptions {
  readonly pool: Pool
  readonly organizations: Organizations
  readonly organizationHosts: string | undefined
  readonly hasher: PasswordHasher
  readonly starter: SessionStarter
}

const failed: Refused<'sign_in_failed'> = { refused: 'sign_in_failed' }
/** Compared with where there is no code: nothing is all zeros by chance. */
const noCode = Buffer.alloc(32)

/** A try that was counted. */
interface Try {
  readonly attempt: CountedAttempts
  readonly challengeId: string
  /** For which the code was asked, with an account or without. */
  readonly email: string
  /** What is stored of the code; undefined: none was sent. */
  readonly stored: Buffer | undefined
  readonly account: UserWithPassword | undefined
}

/**
 * Signing in by a code that is sent by mail: what the mail has and what the browser keeps are needed both. One factor, which
 * whoever reads the mail has; it never counts as a second one (NIST SP 800-63B-4, section 3.1.3.1).
 */
export class EmailCodeSignIn {
  readonly #options: EmailCodeSignInOptions

  constructor(options: EmailCodeSignInOptions) {
    this.#options = options
  }

  /**
   * For an address without an account everything is as for others, up to a mail in the queue; whoever makes its code tells, and
   * then it is not sent.
   */
  async request(request: Parameters<SignIn['requestCode']>[0]): ReturnType<SignIn['requestCode']> {
    const { organizations, organizationHosts } = this.#options
    const email = canonicalEmail(request.email)
    const { organization: hint, client } = request
    const { id } = organizationMeant(hint, email, organizations, organizationHosts) ?? nowhere
    return evenly(() => this.#challenge(id, email ?? '', client))
  }

  async verify(request: {
    readonly challenge: string
    readonly code: string
    readonly kind: SessionKind
    readonly client: Client
  }): ReturnType<SignIn['withCode']> {
    const { pool, hasher, starter } = this.#options
    const { kind, client } = request
    const presented = readToken('co', request.challenge)
    if (!presented) return failed
    if (!starter.available(kind)) return { refused: 'signing_unavailable' }
    if (hasher.full) return { refused: 'busy', retryAfter: 2 }
    const tried = await this.#try(presented, client)
    if (!tried) return failed
    const { attempt, challengeId, stored, account } = tried
    // Nothing is judged, and nothing computed: whose account it is does not come into it.
    if (attempt.lockedFor !== undefined)
      return { refused: 'account_locked', retryAfter: attempt.lockedFor }
    const made = await hasher.derive(readEmailCode(request.code) ?? '', presented.digest)
    const { organizationId } = presented
    if ('refused' in made) {
      await withdrawAttempt(pool, attempt)
      await writeInOrganization(pool, { organizationId, actor: authActor }, (tx) =>
        takeBackTry(tx, challengeId),
      )
      return made
    }
    const right = timingSafeEqual(made.derived, stored ?? noCode)
    if (!right || !stored || !account) return this.#fail(tried, client)
    const session = await writeInOrganization(
      pool,
      { organizationId, actor: authActor },
      async (tx, _held, before) => {
        if (!(await useChallenge(tx, challengeId))) return undefined
        // Whoever has the code reads the mail of that address.
        if (!account.suspended) await verifyUser(tx, account.id)
        const arrival = { organizationId, user: account, methods: ['otp'], kind, client }
        return letIn(tx, starter, arrival, before, endingAttempt(attempt))
      },
      [holdingUser(account.id), familiarTo(account.id)],
    )
    return (
      session ?? this.#fail({ ...tried, attempt: { ...attempt, lockingUntil: undefined } }, client)
    )
  }

  async #challenge(
    organizationId: string,
    email: string,
    client: Client,
  ): ReturnType<SignIn['requestCode']> {
    const text = mintToken('co', organizationId, randomBytes(tokenEntropy))
    const digest = digestToken(text)
    return writeInOrganization(
      this.#options.pool,
      { organizationId, actor: authActor },
      async (tx, organization, account, deviceId) => {
        const { methods } = signInRules(organization?.settings ?? {})
        if (!methods.includes('EmailCode')) return { refused: 'sign_in_method_not_allowed' }
        const { lifetime, window } = emailCode
        const id = newId()
        const subjectId = account?.id ?? subjectOfNobody(organizationId, email)
        const challenge = { organizationId, id, subjectId, email, deviceId, digest, lifetime }
        if (!(await insertChallenge(tx, challenge, emailCode))) {
          return { refused: 'too_many_requests', retryAfter: window }
        }
        await carryOut(tx, asking(organizationId, { email, account, id }, client), [])
        return { challenge: text }
      },
      [
        theirOrganization,
        userWithPasswordByEmail(email),
        deviceOf(email, digestOfDevice(client.device)),
      ],
    )
  }

  /** Counts a try, of the challenge and of whoever tries, unless that is locked. */
  async #try(
    { organizationId, digest }: PresentedToken,
    { address, device }: Client,
  ): Promise<Try | undefined> {
    return writeInOrganization(
      this.#options.pool,
      { organizationId, actor: authActor },
      async (tx, organization) => {
        const rules = signInRules(organization?.settings ?? {})
        if (!organization || !rules.methods.includes('EmailCode')) return undefined
        const challenge = await tryChallenge(tx, digest, emailCode.tries)
        if (!challenge) return undefined
        const { id: challengeId, subjectId, email } = challenge
        const [deviceId] = await carryOut(tx, [], [deviceOf(email, digestOfDevice(device))])
        const whose = { email, deviceId, address, byCode: true }
        const attempt = await beginAttempt(tx, organizationId, whose, rules)
        if (attempt.lockedFor !== undefined) await takeBackTry(tx, challengeId)
        const stored = await codeOfChallenge(tx, challengeId)
        const account = await userWithPasswordById(tx, subjectId)
        return { attempt, challengeId, email, stored, account }
      },
      [theirOrganization],
    )
  }

  async #fail(
    { attempt, email, account }: Try,
    client: Client,
  ): Promise<Refused<'sign_in_failed'>> {
    const failure = { attempt, email, userId: account?.id, reason: 'wrong_code', client } as const
    await recordFailure(this.#options.pool, failure)
    return failed
  }
}

/** What is written for whoever asks for a code. What cannot be an address is nobody's, and is not written to. */
function asking(
  organizationId: string,
  { email, account, id }: { email: string; account: UserWithPassword | undefined; id: string },
  { address, requestId }: Client,
): readonly string[] {
  const asked = auditingDeed({
    organizationId,
    userId: undefined,
    action: 'user.code_requested',
    target: { kind: 'user', id: account?.id ?? organizationId, name: email },
    requestId,
    detail: { address },
  })
  if (email === '') return [asked]
  const mail = mailing({
    organizationId,
    template: 'email_code',
    recipient: email,
    subjectId: id,
    arguments: { at: new Date().toISOString(), ...(address !== undefined && { address }) },
    usefulFor: emailCode.lifetime,
  })
  return [asked, ...mail]
}
