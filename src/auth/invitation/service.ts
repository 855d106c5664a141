import type { Pool } from 'pg'
import { newId } from '../../db/identity.ts'
import {
  acceptInvitation,
  type InvitationRow,
  insertInvitation,
  openInvitation,
  openInvitations,
  pauseOfInvitations,
  revokeInvitation,
  supersedeInvitation,
} from '../../db/invitation.ts'
import { mailing } from '../../db/mail.ts'
import { invitationToAccept } from '../../db/mailsubject.ts'
import { insertMemberBinding, projectNames } from '../../db/memberrole.ts'
import { findOneTimeToken, retireOneTimeTokens, useOneTimeToken } from '../../db/onetimetoken.ts'
import {
  type PeoplesOrganization,
  serializeOrganization,
  theirOrganization,
} from '../../db/organization.ts'
import { carryOut, type Transaction, writeInOrganization } from '../../db/transaction.ts'
import { countUsers, insertUser, userByEmail } from '../../db/user.ts'
import { authActor } from '../../domain/actor.ts'
import { canonicalEmail } from '../../domain/email.ts'
import { namesOwner, objectionToPerson, type PersonObjection } from '../../domain/invitation.ts'
import { memberBindingName, type WantedRole } from '../../domain/member.ts'
import { type PresentedToken, readToken, tokenLifetime } from '../../domain/onetimetoken.ts'
import { isPersonName } from '../../domain/personname.ts'
import { signInRules } from '../../domain/signinrules.ts'
import { isUuid } from '../../domain/uuid.ts'
import { Staff } from '../member/staff.ts'
import type { NewPasswords } from '../password/newpassword.ts'
import type { Client, Invitation, Invitations, Person, Refused } from '../people.ts'
import { isRefused } from '../refusal.ts'
import { auditingDeed } from '../trail.ts'
import { withdrawInvitations } from './withdrawal.ts'

const lifetime = tokenLifetime.invitation
/** Open ones of an organization: each sends a mail to an address that its inviter chose. */
const mostOpen = 1000
/** Of an address, whoever invites it: a mail each. Seconds. */
const perAddress = { most: 5, window: 3600 } as const

export interface InvitationServiceOptions {
  readonly pool: Pool
  readonly newPasswords: Pick<NewPasswords, 'make'>
}

/** People come into an organization by an invitation, which is of use once and proves their address. */
export class InvitationService implements Invitations {
  readonly #options: InvitationServiceOptions

  constructor(options: InvitationServiceOptions) {
    this.#options = options
  }

  async list(person: Person): Promise<readonly Invitation[] | Refused<'permission_denied'>> {
    return this.#in(person.organizationId, async (tx) => {
      const staff = await Staff.read(tx, person)
      if (!staff?.may('members:read')) return { refused: 'permission_denied' }
      const names = new Map((await projectNames(tx)).map(({ id, name }) => [id, name]))
      return (await openInvitations(tx, mostOpen)).map((row) => invitationOf(row, names))
    })
  }

  async invite(
    person: Person,
    wanted: {
      readonly email: string
      readonly role: string
      readonly project?: string | undefined
    },
    client: Client,
  ): ReturnType<Invitations['invite']> {
    const email = canonicalEmail(wanted.email)
    return this.#in(person.organizationId, async (tx) => {
      // The quota counts, and the next one must count this one too.
      await serializeOrganization(tx, person.organizationId)
      const staff = await Staff.read(tx, person)
      if (!staff?.may('members:create')) return { refused: 'permission_denied' }
      if (email === undefined) return { refused: 'invalid_request' }
      const found = staff.find([wanted])
      if ('refused' in found) return found
      if (!staff.mayGive(wanted.role)) return { refused: 'permission_denied' }
      const open = await openInvitations(tx, mostOpen)
      const former = open.find((one) => one.email === email)
      if (former && !staff.mayActOnInvited(givenBy(former))) return { refused: 'permission_denied' }
      const others = open.length - (former ? 1 : 0)
      if (others >= mostOpen) return { refused: 'quota_exceeded' }
      const refused = await objection(tx, staff.organization, email, others)
      if (refused) return refused
      const retryAfter = await pauseOfInvitations(tx, email, perAddress)
      if (retryAfter !== undefined) return { refused: 'too_many_requests', retryAfter }
      const [{ projectId } = { projectId: undefined }] = found
      return this.#invite(tx, person, { ...wanted, email, projectId }, client)
    })
  }

  async revoke(
    person: Person,
    id: string,
    client: Client,
  ): Promise<{ readonly revoked: true } | Refused<'permission_denied' | 'not_found'>> {
    return this.#in(person.organizationId, async (tx) => {
      const staff = await Staff.read(tx, person)
      if (!staff?.may('members:create')) return { refused: 'permission_denied' }
      const open = isUuid(id) ? await openInvitation(tx, id) : undefined
      if (open && !staff.mayActOnInvited(givenBy(open))) return { refused: 'permission_denied' }
      const revoked = open && (await revokeInvitation(tx, id))
      if (!revoked) return { refused: 'not_found' }
      await retireOneTimeTokens(tx, id, 'invitation')
      await audit(tx, 'invitation.revoked', person, revoked, client)
      return { revoked: true }
    })
  }

  async look(token: string): ReturnType<Invitations['look']> {
    const presented = readToken('co', token)
    if (!presented) return undefined
    return this.#in(presented.organizationId, async (tx) => {
      const found = await findOpen(tx, presented)
      if (!found || !(await isStanding(tx, found))) return undefined
      const { organization, invitation } = found
      const { id: organizationId, name, displayName } = organization
      const subject = await invitationToAccept(tx, { subjectId: invitation.id })
      if (!subject?.invitation) return undefined
      const { email } = invitation
      return { ...subject.invitation, organization: name, displayName, email, organizationId }
    })
  }

  async accept(
    token: string,
    account: { readonly name: string; readonly password: string },
    client: Client,
  ): ReturnType<Invitations['accept']> {
    const presented = readToken('co', token)
    if (!presented) return { refused: 'token_invalid' }
    const found = await this.#in(presented.organizationId, (tx) => findOpen(tx, presented))
    if (!found) return { refused: 'token_invalid' }
    if (!isPersonName(account.name)) return { refused: 'invalid_request' }
    const { organization, invitation } = found
    const { email } = invitation
    // The password before the token: somebody whose password is not accepted can still choose another.
    const { password: rules } = signInRules(organization.settings)
    const owner = { organization, email, rules }
    const made = await this.#options.newPasswords.make(account.password, owner)
    if (isRefused(made)) return made
    const name = account.name.trim()
    return this.#in(organization.id, (tx) =>
      this.#accept(tx, presented, { name, hash: made.hash }, client),
    )
  }

  async #invite(
    tx: Transaction,
    person: Person,
    wanted: NamedInvitation,
    client: Client,
  ): Promise<Invitation> {
    const { organizationId, userId: invitedBy } = person
    const { email, role, projectId, project } = wanted
    const former = await supersedeInvitation(tx, email)
    if (former) await retireOneTimeTokens(tx, former.id, 'invitation')
    const values = { organizationId, email, role, projectId, invitedBy }
    const row = await insertInvitation(tx, values, lifetime)
    const mail = mailing({
      organizationId,
      template: 'invitation',
      recipient: email,
      subjectId: row.id,
      usefulFor: lifetime,
    })
    await carryOut(tx, mail, [])
    await audit(tx, 'invitation.created', person, row, client)
    const { id, createdAt, expiresAt } = row
    return { id, email, role, project, createdAt, expiresAt }
  }

  async #accept(
    tx: Transaction,
    presented: PresentedToken,
    account: { readonly name: string; readonly hash: string },
    client: Client,
  ): ReturnType<Invitations['accept']> {
    const { organizationId, digest } = presented
    // First: whoever demotes the inviter at this moment comes before, and is heard, or after, and finds a member.
    await serializeOrganization(tx, organizationId)
    const found = await findOpen(tx, presented)
    if (!found) return { refused: 'token_invalid' }
    const { organization, invitation } = found
    if (!(await isStanding(tx, found))) {
      // Those of a resource are the operator's to revoke.
      if (invitation.invitedBy !== null) {
        const { requestId } = client
        const withdrawal = { organizationId, userId: undefined, requestId }
        await withdrawInvitations(tx, [invitation], {
          ...withdrawal,
          reason: 'inviter_not_allowed',
        })
      }
      return { refused: 'token_invalid' }
    }
    const { email } = invitation
    // Before the token is used: who is refused for this may come again when it was put right.
    const refused = await objection(tx, organization, email, 0)
    // Somebody has the account already: this is no way to set a password for it.
    if (refused?.refused === 'member_exists') return { refused: 'token_invalid' }
    if (refused) return { ...refused, refused: refused.refused }
    const used = await useOneTimeToken(tx, 'invitation', digest)
    if (used !== invitation.id || !(await acceptInvitation(tx, invitation.id))) {
      return { refused: 'token_invalid' }
    }
    await this.#admit(tx, organization, invitation, account, client)
    return { organization: organization.name, email }
  }

  async #admit(
    tx: Transaction,
    { id: organizationId }: PeoplesOrganization,
    invitation: InvitationRow,
    { name, hash }: { readonly name: string; readonly hash: string },
    { requestId, address }: Client,
  ): Promise<void> {
    const { id: invitationId, email, role, projectId, invitedBy } = invitation
    const userId = newId()
    await insertUser(tx, { organizationId, id: userId, email, name, hash })
    // An owner whom the organization itself names is one without a binding.
    if (invitedBy !== null) {
      const given = givenBy(invitation)
      const binding = { organizationId, name: memberBindingName(userId, given), email, ...given }
      await insertMemberBinding(tx, binding)
    }
    const shared = { organizationId, userId, requestId }
    const deeds = [
      auditingDeed({
        ...shared,
        action: 'invitation.accepted',
        target: { kind: 'invitation', id: invitationId, name: email },
        detail: { address },
      }),
      auditingDeed({
        ...shared,
        action: 'user.created',
        target: { kind: 'user', id: userId, name: email },
        detail: { invitation: invitationId, invitedBy, role, projectId },
      }),
    ]
    await carryOut(tx, deeds, [])
  }

  #in<T>(organizationId: string, work: (tx: Transaction) => Promise<T>): Promise<T> {
    return writeInOrganization(this.#options.pool, { organizationId, actor: authActor }, work)
  }
}

interface NamedInvitation {
  /** Canonical. */
  readonly email: string
  readonly role: string
  readonly project?: string | undefined
  readonly projectId: string | undefined
}

interface Found {
  readonly organization: PeoplesOrganization
  readonly invitation: InvitationRow
}

/** What a token is for, without using it. */
async function findOpen(tx: Transaction, { digest }: PresentedToken): Promise<Found | undefined> {
  const id = await findOneTimeToken(tx, 'invitation', digest)
  const invitation = id === undefined ? undefined : await openInvitation(tx, id)
  const [organization] = await carryOut(tx, [], [theirOrganization])
  return invitation && organization && { organization, invitation }
}

/**
 * Whether what an invitation rests on is still there: that the organization names an owner, or that its inviter may still give
 * the role. Otherwise somebody who loses a role would keep it under another address of theirs.
 */
async function isStanding(tx: Transaction, { organization, invitation }: Found): Promise<boolean> {
  const { invitedBy, email } = invitation
  if (invitedBy === null) return namesOwner(organization.owners, email)
  const inviter = await Staff.read(tx, { userId: invitedBy })
  return inviter?.mayInvite(givenBy(invitation)) ?? false
}

function givenBy({ role, projectId }: InvitationRow): WantedRole {
  return { role, projectId: projectId ?? undefined }
}

/** Why an address cannot become a member. @param open invitations that are counted too */
async function objection(
  tx: Transaction,
  { displayName, domains, settings }: PeoplesOrganization,
  email: string,
  open: number,
): Promise<Refused<PersonObjection['code']> | undefined> {
  const found = objectionToPerson(email, {
    displayName,
    domains,
    exists: (await userByEmail(tx, email)) !== undefined,
    people: (await countUsers(tx)) + open,
    maxPeople: signInRules(settings).maxUsers,
  })
  return (
    found && { refused: found.code, ...(found.detail !== undefined && { details: [found.detail] }) }
  )
}

async function audit(
  tx: Transaction,
  action: 'invitation.created' | 'invitation.revoked',
  { organizationId, userId }: Person,
  { id, email, role, projectId }: InvitationRow,
  { requestId }: Client,
): Promise<void> {
  const target = { kind: 'invitation' as const, id, name: email }
  const detail = { role, ...(projectId !== null && { projectId }) }
  await carryOut(
    tx,
    [auditingDeed({ organizationId, userId, action, target, requestId, detail })],
    [],
  )
}

function invitationOf(row: InvitationRow, projects: ReadonlyMap<string, string>): Invitation {
  const { id, email, role, projectId, createdAt, expiresAt } = row
  const project = projectId === null ? undefined : projects.get(projectId)
  return { id, email, role, project, createdAt, expiresAt }
}
