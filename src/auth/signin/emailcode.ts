import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { Pool } from 'pg'
import {
  codeOfChallenge,
  insertChallenge,
  takeBackTry,
  tryChallenge,
  useChallenge,
} from '../../db/emailcode.ts'
import { newId } from '../../db/identity.ts'
import { mailing } from '../../db/mail.ts'
import { carryOut, writeInOrganization } from '../../db/transaction.ts'
import {
  type Account,
  accountByEmail,
  accountById,
  holdingUser,
  theirOrganization,
  verifyUser,
} from '../../db/user.ts'
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

const actor = 'cardea-auth'
const failed: Refused<'sign_in_failed'> = { refused: 'sign_in_failed' }
/** Compared with where there is no code: nothing is all zeros by chance. */
const noCode = Buffer.alloc(32)

/** A try that was counted. */
interface Try {
  readonly challengeId: string
  /** What is stored of the code; undefined: none was sent. */
  readonly stored: Buffer | undefined
  readonly account: Account | undefined
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

  /** For an address without an account everything is as for others, and no mail is sent. */
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
    const counted = await this.#try(presented)
    if (!counted) return failed
    const { challengeId, stored, account } = counted
    const made = await hasher.derive(readEmailCode(request.code) ?? '', presented.digest)
    const { organizationId } = presented
    if ('refused' in made) {
      await writeInOrganization(pool, { organizationId, actor }, (tx) =>
        takeBackTry(tx, challengeId),
      )
      return made
    }
    const right = timingSafeEqual(made.derived, stored ?? noCode)
    if (!right || !stored || !account) return this.#fail(organizationId, account, client)
    const session = await writeInOrganization(
      pool,
      { organizationId, actor },
      async (tx, _held, before) => {
        if (!(await useChallenge(tx, challengeId))) return undefined
        // Whoever has the code reads the mail of that address.
        if (!account.suspended) await verifyUser(tx, account.id)
        const arrival = { organizationId, user: account, methods: ['otp'], kind, client }
        return letIn(tx, starter, arrival, before)
      },
      [holdingUser(account.id), familiarTo(account.id)],
    )
    return session ?? this.#fail(organizationId, account, client)
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
      { organizationId, actor },
      async (tx, organization, account) => {
        const { methods } = signInRules(organization?.settings ?? {})
        if (!methods.includes('EmailCode')) return { refused: 'sign_in_method_not_allowed' }
        const { lifetime, window } = emailCode
        const id = newId()
        const subjectId = account?.id ?? subjectOfNobody(organizationId, email)
        const challenge = { organizationId, id, subjectId, digest, lifetime }
        if (!(await insertChallenge(tx, challenge, emailCode))) {
          return { refused: 'too_many_requests', retryAfter: window }
        }
        const recipient = account?.suspended === false ? account : undefined
        await carryOut(tx, asking(organizationId, { email, account: recipient, id }, client), [])
        return { challenge: text }
      },
      [theirOrganization, accountByEmail(email)],
    )
  }

  async #try({ organizationId, digest }: PresentedToken): Promise<Try | undefined> {
    return writeInOrganization(
      this.#options.pool,
      { organizationId, actor },
      async (tx, organization) => {
        const { methods } = signInRules(organization?.settings ?? {})
        if (!organization || !methods.includes('EmailCode')) return undefined
        const challenge = await tryChallenge(tx, digest, emailCode.tries)
        if (!challenge) return undefined
        const { id: challengeId, subjectId } = challenge
        const stored = await codeOfChallenge(tx, challengeId)
        return { challengeId, stored, account: await accountById(tx, subjectId) }
      },
      [theirOrganization],
    )
  }

  async #fail(
    organizationId: string,
    account: Account | undefined,
    client: Client,
  ): Promise<Refused<'sign_in_failed'>> {
    const attempt = { organizationId, counted: [], lockedFor: undefined, lockingUntil: undefined }
    const who = { email: account?.email ?? '', userId: account?.id }
    await recordFailure(this.#options.pool, { attempt, ...who, reason: 'wrong_code', client })
    return failed
  }
}

function asking(
  organizationId: string,
  { email, account, id }: { email: string; account: Account | undefined; id: string },
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
  if (!account) return [asked]
  const mail = mailing({
    organizationId,
    template: 'email_code',
    recipient: account.email,
    subjectId: id,
    arguments: { at: new Date().toISOString(), ...(address !== undefined && { address }) },
    usefulFor: emailCode.lifetime,
  })
  return [asked, ...mail]
}
