import type { Pool } from 'pg'
import { deviceOf } from '../../db/device.ts'
import { mailing, noticeUseful } from '../../db/mail.ts'
import {
  countOneTimeTokens,
  findOneTimeToken,
  retireOneTimeTokens,
  useOneTimeToken,
} from '../../db/onetimetoken.ts'
import { type PeoplesOrganization, theirOrganization } from '../../db/organization.ts'
import { holdingReset, isCurrentPassword, lastPasswords, setPassword } from '../../db/password.ts'
import { forgettingFailures } from '../../db/signinfailure.ts'
import {
  carryOut,
  readOrganization,
  type Transaction,
  writeInOrganization,
} from '../../db/transaction.ts'
import {
  holdingUser,
  type UserWithPassword,
  userWithPasswordByEmail,
  userWithPasswordById,
  verifyUser,
} from '../../db/user.ts'
import { authActor } from '../../domain/actor.ts'
import { canonicalEmail } from '../../domain/email.ts'
import { countersOf } from '../../domain/lockout.ts'
import { readToken, tokenLifetime } from '../../domain/onetimetoken.ts'
import { passwordBytes, passwordRulesInWords } from '../../domain/password.ts'
import { defaultSignInRules, type SignInRules, signInRules } from '../../domain/signinrules.ts'
import type { Client, Passwords, Person, Refused } from '../people.ts'
import { deviceNameOf, keptUserAgent } from '../session/devicename.ts'
import type { SessionStarter } from '../session/start.ts'
import {
  beginAttempt,
  type CountedAttempts,
  endingAttempt,
  withdrawAttempt,
} from '../signin/attempts.ts'
import { digestOfDevice } from '../signin/device.ts'
import { evenly } from '../signin/evenly.ts'
import { recordFailure } from '../signin/failure.ts'
import { nowhere, type Organizations, organizationMeant } from '../signin/organizations.ts'
import { auditingDeed } from '../trail.ts'
import type { PasswordHasher } from './hasher.ts'
import type { NewPasswords } from './newpassword.ts'

export interface PasswordServiceOptions {
  readonly pool: Pool
  readonly organizations: Organizations
  readonly organizationHosts: string | undefined
  readonly hasher: Pick<PasswordHasher, 'verify'>
  readonly newPasswords: Pick<NewPasswords, 'make'>
  readonly starter: Pick<SessionStarter, 'endAll' | 'renew'>
}

/** Mails to set a new password, for one person within a time; seconds. */
const reset = { most: 5, window: 3600 } as const

/** Whose password is to be set. */
interface Owner {
  readonly account: UserWithPassword
  readonly organization: PeoplesOrganization
  readonly rules: SignInRules
  /** Hashes of those that may not come again. */
  readonly former: readonly string[]
}

/** New passwords: for whoever lost one, and for whoever has one. */
export class PasswordService implements Passwords {
  readonly #options: PasswordServiceOptions

  constructor(options: PasswordServiceOptions) {
    this.#options = options
  }

  async rules(organizationId: string | undefined): Promise<readonly string[]> {
    if (organizationId === undefined) return passwordRulesInWords(defaultSignInRules.password)
    const { pool } = this.#options
    const [organization] = await readOrganization(pool, organizationId, [theirOrganization])
    return passwordRulesInWords(signInRules(organization?.settings ?? {}).password)
  }

  async requestReset(
    request: Parameters<Passwords['requestReset']>[0],
  ): Promise<{ readonly accepted: true }> {
    const { organizations, organizationHosts } = this.#options
    const email = canonicalEmail(request.email)
    const { organization: hint, client } = request
    const { id } = organizationMeant(hint, email, organizations, organizationHosts) ?? nowhere
    await evenly(() => this.#ask(id, email ?? '', client))
    return { accepted: true }
  }

  /** Whoever has the token reads the mail of that address, and nobody else is to have a session any more. Devices stay known. */
  async look(text: string): Promise<boolean> {
    const token = readToken('co', text)
    if (!token) return false
    const { organizationId, digest } = token
    const owner = await this.#in(organizationId, (tx) => ownerByToken(tx, digest))
    return owner !== undefined && !owner.account.suspended
  }

  async reset(text: string, password: string, client: Client): ReturnType<Passwords['reset']> {
    const token = readToken('co', text)
    if (!token) return { refused: 'token_invalid' }
    const { organizationId, digest } = token
    const owner = await this.#in(organizationId, (tx) => ownerByToken(tx, digest))
    if (!owner || owner.account.suspended) return { refused: 'token_invalid' }
    const made = await this.#make(password, owner)
    if ('refused' in made) return made
    const { account, organization } = owner
    return this.#in(organizationId, async (tx) => {
      await carryOut(tx, [], [holdingUser(account.id)])
      const used = await useOneTimeToken(tx, 'password_reset', digest)
      if (used !== account.id) return { refused: 'token_invalid' }
      await verifyUser(tx, account.id)
      await this.#set(tx, owner, {
        hash: made.hash,
        by: undefined,
        reason: 'password_reset',
        client,
      })
      const anywhere = { email: account.email, deviceId: undefined, address: undefined }
      const counters = countersOf(anywhere, owner.rules.lockout)
      await carryOut(tx, counters.map(forgettingFailures), [])
      return { organization: organization.name, email: account.email }
    })
  }

  async change(
    person: Person,
    current: string,
    next: string,
    client: Client,
  ): ReturnType<Passwords['change']> {
    const { organizationId, userId } = person
    const wrong = { refused: 'password_wrong' } as const
    if (!passwordBytes(current)) return wrong
    const begun = await this.#begin(person, client)
    if (!begun) return wrong
    const { owner, attempt } = begun
    const { account } = owner
    const { lockedFor } = attempt
    // It is known who asks: there is nothing to hide behind a hash, and none is to be had for nothing.
    if (lockedFor !== undefined) return { refused: 'account_locked', retryAfter: lockedFor }
    const verified = await this.#options.hasher.verify(account.password?.hash, current)
    if ('refused' in verified) return this.#withdraw(attempt, verified)
    if (!verified.matches || !account.password) {
      const failure = { attempt, email: account.email, userId, client }
      await recordFailure(this.#options.pool, { ...failure, reason: 'wrong_password' })
      return wrong
    }
    const made = await this.#make(next, owner)
    if ('refused' in made) return this.#withdraw(attempt, made)
    const { id: passwordId } = account.password
    return this.#in(organizationId, async (tx) => {
      const readings = [holdingUser(userId), isCurrentPassword(passwordId)] as const
      const [, isCurrent] = await carryOut(tx, [], readings)
      if (!isCurrent) return wrong
      await carryOut(tx, endingAttempt(attempt), [])
      const { sessionId: except } = person
      const reason = 'password_changed'
      await this.#set(tx, owner, { hash: made.hash, by: userId, reason, client, except })
      return { cookie: await this.#options.starter.renew(tx, except) }
    })
  }

  /** What is asked for an address without an account is written down as well, so that it takes as long. */
  async #ask(organizationId: string, email: string, client: Client): Promise<void> {
    const { address, requestId } = client
    await writeInOrganization(
      this.#options.pool,
      { organizationId, actor: authActor },
      async (tx, organization, found) => {
        const { methods } = signInRules(organization?.settings ?? {})
        const account = found?.suspended === false ? found : undefined
        const subject = account?.id ?? organizationId
        await carryOut(tx, holdingReset(organizationId, email, subject), [])
        const sent = await countOneTimeTokens(tx, subject, 'password_reset', reset.window)
        if (!organization || !methods.includes('Password') || sent >= reset.most) return
        const asked = auditingDeed({
          organizationId,
          userId: undefined,
          action: 'user.password_reset_requested',
          target: { kind: 'user', id: subject, name: email },
          requestId,
          detail: { address },
        })
        const mail = account && {
          organizationId,
          template: 'password_reset' as const,
          recipient: account.email,
          subjectId: account.id,
          arguments: factsOf(client),
          usefulFor: tokenLifetime.password_reset,
        }
        await carryOut(tx, [asked, ...(mail ? mailing(mail) : [])], [])
      },
      [theirOrganization, userWithPasswordByEmail(email)],
    )
  }

  async #begin(
    { organizationId, userId, email }: Person,
    client: Client,
  ): Promise<{ readonly owner: Owner; readonly attempt: CountedAttempts } | undefined> {
    return writeInOrganization(
      this.#options.pool,
      { organizationId, actor: authActor },
      async (tx, deviceId) => {
        const owner = await ownerOf(tx, userId)
        if (!owner) return undefined
        const whose = { email: owner.account.email, deviceId, address: client.address }
        return { owner, attempt: await beginAttempt(tx, organizationId, whose, owner.rules) }
      },
      [deviceOf(email, digestOfDevice(client.device))],
    )
  }

  async #withdraw<R extends Refused>(attempt: CountedAttempts, refused: R): Promise<R> {
    await withdrawAttempt(this.#options.pool, attempt)
    return refused
  }

  async #make(password: string, { account, organization, rules, former }: Owner) {
    const { email } = account
    const owner = { email, organization, rules: rules.password, former }
    return this.#options.newPasswords.make(password, owner)
  }

  /** Sets it, ends what depended on the one before, and tells its owner. */
  async #set(
    tx: Transaction,
    { account, organization, rules }: Owner,
    set: {
      readonly hash: string
      readonly by: string | undefined
      readonly reason: 'password_reset' | 'password_changed'
      readonly client: Client
      /** A session that stays. */
      readonly except?: string
    },
  ): Promise<void> {
    const { id: organizationId } = organization
    const { hash, by, reason, client, except } = set
    const { requestId, address } = client
    await setPassword(tx, { organizationId, userId: account.id, hash }, rules.password.history)
    const user = { id: account.id, email: account.email }
    await this.#options.starter.endAll(tx, { organizationId, user, by, reason, except, requestId })
    await retireOneTimeTokens(tx, account.id, 'password_reset')
    await retireOneTimeTokens(tx, account.id, 'email_code')
    const deed = auditingDeed({
      organizationId,
      userId: by,
      action: `user.${reason}`,
      target: { kind: 'user', id: account.id, name: account.email },
      requestId,
      detail: { address },
    })
    const mail = mailing({
      organizationId,
      template: 'password_changed',
      recipient: account.email,
      subjectId: account.id,
      arguments: factsOf(client),
      usefulFor: noticeUseful,
    })
    await carryOut(tx, [deed, ...mail], [])
  }

  #in<T>(organizationId: string, work: (tx: Transaction) => Promise<T>): Promise<T> {
    return writeInOrganization(this.#options.pool, { organizationId, actor: authActor }, work)
  }
}

/** Whom a token of a mail that is still good lets choose a password. @param digest of the token */
async function ownerByToken(tx: Transaction, digest: Buffer): Promise<Owner | undefined> {
  const userId = await findOneTimeToken(tx, 'password_reset', digest)
  return userId === undefined ? undefined : ownerOf(tx, userId)
}

async function ownerOf(tx: Transaction, userId: string): Promise<Owner | undefined> {
  const account = await userWithPasswordById(tx, userId)
  const [organization] = await carryOut(tx, [], [theirOrganization])
  if (!account || !organization) return undefined
  const rules = signInRules(organization.settings)
  const former = await lastPasswords(tx, userId, rules.password.history)
  return { account, organization, rules, former }
}

function factsOf({ address, userAgent }: Client) {
  return {
    at: new Date().toISOString(),
    device: deviceNameOf(keptUserAgent(userAgent)),
    ...(address !== undefined && { address }),
  }
}
