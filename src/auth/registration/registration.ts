import type { Pool } from 'pg'
import { takeBackTry } from '../../db/emailcode.ts'
import { newId } from '../../db/identity.ts'
import { mailing } from '../../db/mail.ts'
import { insertMemberBinding } from '../../db/memberrole.ts'
import {
  findOneTimeToken,
  type TriedToken,
  tryOneTimeToken,
  useOneTimeToken,
} from '../../db/onetimetoken.ts'
import { theirOrganization } from '../../db/organization.ts'
import {
  insertRegisteredOrganization,
  insertRegistration,
  isNameTaken,
  passwordOfRegistration,
  takeRegistration,
} from '../../db/registration.ts'
import { carryOut, type Transaction, writeInOrganization } from '../../db/transaction.ts'
import { insertUser, userWithPasswordById, verifyUser } from '../../db/user.ts'
import { authActor } from '../../domain/actor.ts'
import { canonicalEmail, isOfDomains } from '../../domain/email.ts'
import { memberBindingName } from '../../domain/member.ts'
import { type PresentedToken, readToken, tokenLifetime } from '../../domain/onetimetoken.ts'
import { isPersonName } from '../../domain/personname.ts'
import { limitsOfRegistration, objectionsToOrganization } from '../../domain/registration.ts'
import { defaultSignInRules } from '../../domain/signinrules.ts'
import type { PasswordHasher } from '../password/hasher.ts'
import type { NewPasswords } from '../password/newpassword.ts'
import type { Client, Registration } from '../people.ts'
import type { Organizations } from '../signin/organizations.ts'
import { auditingDeed } from '../trail.ts'

export interface RegistrationOptions {
  readonly pool: Pool
  readonly organizations: Organizations
  readonly hasher: Pick<PasswordHasher, 'verify'>
  readonly newPasswords: Pick<NewPasswords, 'make'>
  /** Whether anybody may register an organization. */
  readonly allowed: boolean
  /** Email domains whose people may; none: any. */
  readonly domains: readonly string[]
}

const lifetime = tokenLifetime.registration
/** So many passwords may be tried with one mail. */
const mostTries = 5
const owner = { role: 'owner', projectId: undefined } as const

type AskedRegistration = Omit<Parameters<typeof insertRegistration>[1], 'network'>
type Registering = ReturnType<Registration['register']>
type Verified = Awaited<ReturnType<Registration['verifyEmail']>>

/**
 * Organizations that people make for themselves: asked for, and there once the address is verified. Verifying it takes the
 * password that was chosen, too: whoever reads the mail must be who registered, or somebody could have a stranger confirm an
 * account in the stranger's name whose password is not theirs.
 */
export class RegistrationService implements Registration {
  readonly allowed: boolean
  readonly #options: RegistrationOptions

  constructor(options: RegistrationOptions) {
    this.#options = options
    this.allowed = options.allowed
  }

  /** An address may have accounts in any number of organizations: nothing here depends on whether it has one. */
  async register(request: Parameters<Registration['register']>[0]): Registering {
    const { organizations, newPasswords, domains } = this.#options
    if (!this.allowed) return { refused: 'registration_closed' }
    const { organization: name, password, client } = request
    const [displayName, userName] = [request.displayName.trim(), request.name.trim()]
    const email = canonicalEmail(request.email)
    const objections = [
      ...objectionsToOrganization(name, displayName),
      ...(isPersonName(userName) ? [] : ['Your name must be one line of at most 120 characters.']),
      ...(email === undefined ? ['This is no email address.'] : []),
    ]
    if (email === undefined || objections.length > 0) {
      return { refused: 'invalid_request', details: objections }
    }
    if (!isOfDomains(email, domains)) return { refused: 'email_domain_not_allowed' }
    if (organizations.byName(name)) return { refused: 'organization_name_taken' }
    const organization = { name, displayName, domains: [] }
    const made = await newPasswords.make(password, {
      email,
      organization,
      rules: defaultSignInRules.password,
    })
    if ('refused' in made) return made
    const asked = { name, displayName, email, userName, passwordHash: made.hash }
    await this.#ask({ organizationId: newId(), ...asked }, client)
    return { accepted: true }
  }

  async verifyEmail(text: string, password: string, client: Client): Promise<Verified> {
    const token = readToken('co', text)
    if (!token) return { refused: 'token_invalid' }
    const { organizationId, digest } = token
    const begun = await this.#in(organizationId, (tx) => begin(tx, digest))
    if (!begun) return { refused: 'token_invalid' }
    const { tried } = begun
    const verified = await this.#options.hasher.verify(begun.hash, password)
    if ('refused' in verified) {
      await this.#in(organizationId, (tx) => takeBackTry(tx, tried.id))
      return verified
    }
    if (!verified.matches) return { refused: 'password_wrong' }
    const carryOn = tried.purpose === 'registration' ? complete : confirm
    try {
      return await this.#in(organizationId, (tx) => carryOn(tx, token, client))
    } catch (error) {
      // Two people asked for the name; the other one was here first.
      if (isNameTaken(error)) return { refused: 'organization_name_taken' }
      throw error
    }
  }

  /**
   * Writes it down and sends a mail, or does neither when there were too many. There is no audit event: there is no organization
   * yet whose trail it could be in, and perhaps there never will be.
   */
  async #ask(asked: AskedRegistration, { address }: Client): Promise<void> {
    const { organizationId, email } = asked
    const { network, limits } = limitsOfRegistration(address)
    await this.#in(organizationId, async (tx) => {
      if (!(await insertRegistration(tx, { ...asked, network }, lifetime, limits))) return
      const mail = mailing({
        organizationId,
        template: 'registration',
        recipient: email,
        subjectId: organizationId,
        arguments: { at: new Date().toISOString(), ...(address !== undefined && { address }) },
        usefulFor: lifetime,
      })
      await carryOut(tx, mail, [])
    })
  }

  #in<T>(organizationId: string, work: (tx: Transaction) => Promise<T>): Promise<T> {
    return writeInOrganization(this.#options.pool, { organizationId, actor: authActor }, work)
  }
}

/** Counts a try with a token. @returns what it is for, and the hash of the password that it takes */
async function begin(
  tx: Transaction,
  digest: Buffer,
): Promise<{ readonly tried: TriedToken; readonly hash: string | undefined } | undefined> {
  const purposes = ['registration', 'email_verification'] as const
  const tried = await tryOneTimeToken(tx, purposes, digest, mostTries)
  if (!tried) return undefined
  if (tried.purpose === 'registration') return { tried, hash: await passwordOfRegistration(tx) }
  return { tried, hash: (await userWithPasswordById(tx, tried.subjectId))?.password?.hash }
}

/** Makes the organization and its owner. */
async function complete(
  tx: Transaction,
  { organizationId, digest }: PresentedToken,
  { address, requestId }: Client,
): Promise<Verified> {
  const used = await useOneTimeToken(tx, 'registration', digest)
  const registration = used === undefined ? undefined : await takeRegistration(tx)
  if (!registration) return { refused: 'token_invalid' }
  const { name, email, userName, passwordHash: hash } = registration
  const id = newId()
  await insertRegisteredOrganization(tx, registration)
  await insertUser(tx, { organizationId, id, email, name: userName, hash })
  const binding = { organizationId, name: memberBindingName(id, owner), ...owner, email }
  await insertMemberBinding(tx, binding)
  const deed = { organizationId, userId: id, requestId, detail: { email, address } }
  const registered = auditingDeed({
    ...deed,
    action: 'organization.registered',
    target: { kind: 'organization', id: organizationId, name },
  })
  const verified = auditingDeed({
    ...deed,
    action: 'user.email_verified',
    target: { kind: 'user', id, name: email },
  })
  await carryOut(tx, [registered, verified], [])
  return { organization: name, email }
}

/** Verifies the address of a user who is there already. */
async function confirm(
  tx: Transaction,
  { organizationId, digest }: PresentedToken,
  { address, requestId }: Client,
): Promise<Verified> {
  const id = await findOneTimeToken(tx, 'email_verification', digest)
  const account = id === undefined ? undefined : await userWithPasswordById(tx, id)
  const [organization] = await carryOut(tx, [], [theirOrganization])
  if (!account || !organization) return { refused: 'token_invalid' }
  const { email } = account
  if (!isOfDomains(email, organization.domains)) return { refused: 'email_domain_not_allowed' }
  const used = await useOneTimeToken(tx, 'email_verification', digest)
  if (used !== account.id) return { refused: 'token_invalid' }
  await verifyUser(tx, account.id)
  const verified = auditingDeed({
    organizationId,
    userId: account.id,
    action: 'user.email_verified',
    target: { kind: 'user', id: account.id, name: email },
    requestId,
    detail: { email, address },
  })
  await carryOut(tx, [verified], [])
  return { organization: organization.name, email }
}
