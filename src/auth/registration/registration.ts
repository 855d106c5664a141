import type { Pool } from 'pg'
import { newId } from '../../db/identity.ts'
import { mailing } from '../../db/mail.ts'
import { insertMemberBinding, insertPerson } from '../../db/member.ts'
import { findOneTimeToken, useOneTimeToken } from '../../db/onetimetoken.ts'
import {
  insertRegisteredOrganization,
  insertRegistration,
  isNameTaken,
  takeRegistration,
} from '../../db/registration.ts'
import { carryOut, type Transaction, writeInOrganization } from '../../db/transaction.ts'
import { accountById, theirOrganization, verifyUser } from '../../db/user.ts'
import { canonicalEmail, isOfDomains } from '../../domain/email.ts'
import { memberBindingName } from '../../domain/member.ts'
import { type PresentedToken, readToken } from '../../domain/onetimetoken.ts'
import { isPersonName } from '../../domain/personname.ts'
import { objectionsToOrganization } from '../../domain/registration.ts'
import { defaultSignInRules } from '../../domain/signinrules.ts'
import type { NewPasswords } from '../password/newpassword.ts'
import type { Client, Registration } from '../people.ts'
import type { Organizations } from '../signin/organizations.ts'
import { auditingDeed } from '../trail.ts'

export interface RegistrationOptions {
  readonly pool: Pool
  readonly organizations: Organizations
  readonly newPasswords: Pick<NewPasswords, 'make'>
  /** Whether anybody may register an organization. */
  readonly allowed: boolean
  /** Email domains whose people may; none: any. */
  readonly domains: readonly string[]
}

const actor = 'cardea-auth'
/** Seconds. */
const lifetime = 86_400
const owner = { role: 'owner', projectId: undefined } as const

type Registering = ReturnType<Registration['register']>
type Verified = Awaited<ReturnType<Registration['verifyEmail']>>

/** Organizations that people make for themselves: asked for, and there once the address is verified. */
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

  async verifyEmail(text: string, client: Client): Promise<Verified> {
    const token = readToken('co', text)
    if (!token) return { refused: 'token_invalid' }
    const { organizationId } = token
    try {
      return await writeInOrganization(
        this.#options.pool,
        { organizationId, actor },
        async (tx) => (await complete(tx, token, client)) ?? (await confirm(tx, token, client)),
      )
    } catch (error) {
      // Two people asked for the name; the other one was here first.
      if (isNameTaken(error)) return { refused: 'organization_name_taken' }
      throw error
    }
  }

  async #ask(asked: Parameters<typeof insertRegistration>[1], client: Client): Promise<void> {
    const { organizationId, name, email } = asked
    const { address, requestId } = client
    await writeInOrganization(this.#options.pool, { organizationId, actor }, async (tx) => {
      await insertRegistration(tx, asked, lifetime)
      const requested = auditingDeed({
        organizationId,
        userId: undefined,
        action: 'user.registration_requested',
        target: { kind: 'organization', id: organizationId, name },
        requestId,
        detail: { email, address },
      })
      const mail = mailing({
        organizationId,
        template: 'registration',
        recipient: email,
        subjectId: organizationId,
        arguments: { at: new Date().toISOString(), ...(address !== undefined && { address }) },
        usefulFor: lifetime,
      })
      await carryOut(tx, [requested, ...mail], [])
    })
  }
}

/** Makes the organization and its owner. @returns undefined when the token is of no registration */
async function complete(
  tx: Transaction,
  { organizationId, digest }: PresentedToken,
  { address, requestId }: Client,
): Promise<Verified | undefined> {
  const used = await useOneTimeToken(tx, 'registration', digest)
  if (used === undefined) return undefined
  const registration = await takeRegistration(tx)
  if (!registration) return undefined
  const { name, email, userName, passwordHash: hash } = registration
  const id = newId()
  await insertRegisteredOrganization(tx, registration)
  await insertPerson(tx, { organizationId, id, email, name: userName, hash })
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
  const account = id === undefined ? undefined : await accountById(tx, id)
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
