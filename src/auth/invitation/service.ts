import type { Pool } from 'pg'
import { newId } from '../../db/identity.ts'
import {
  acceptInvitation,
  type InvitationRow,
  insertInvitation,
  openInvitation,
  openInvitations,
  revokeInvitation,
  supersedeInvitation,
} from '../../db/invitation.ts'
import { mailing } from '../../db/mail.ts'
import {
  countPeople,
  insertMemberBinding,
  insertPerson,
  type PeoplesOrganization,
  personByEmail,
  projectNames,
} from '../../db/member.ts'
import { findOneTimeToken, retireOneTimeTokens, useOneTimeToken } from '../../db/onetimetoken.ts'
import { serializeOrganization } from '../../db/organization.ts'
import { carryOut, type Transaction, writeInOrganization } from '../../db/transaction.ts'
import { theirOrganization } from '../../db/user.ts'
import { canonicalEmail } from '../../domain/email.ts'
import { objectionToPerson, type PersonObjection, stillStands } from '../../domain/invitation.ts'
import { memberBindingName } from '../../domain/member.ts'
import { readToken } from '../../domain/onetimetoken.ts'
import { isPersonName } from '../../domain/personname.ts'
import { signInRules } from '../../domain/signinrules.ts'
import { Staff } from '../member/staff.ts'
import type { NewPasswords } from '../password/newpassword.ts'
import type { Client, Invitation, Invitations, Person, Refused } from '../people.ts'
import { isRefused } from '../refusal.ts'
import { auditingDeed } from '../trail.ts'

const actor = 'cardea-auth'
const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
/** Seconds. */
const lifetime = 7 * 86_400
/** Open ones of an organization: each sends a mail to an address that its inviter chose. */
const mostOpen = 1000

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
      const open = (await openInvitations(tx, mostOpen)).filter((one) => one.email !== email)
      if (open.length >= mostOpen) return { refused: 'quota_exceeded' }
      const refused = await objection(tx, staff.organization, email, open.length)
      if (refused) return refused
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
      const revoked = uuid.test(id) ? await revokeInvitation(tx, id) : undefined
      if (!revoked) return { refused: 'not_found' }
      await retireOneTimeTokens(tx, id, 'invitation')
      await audit(tx, 'invitation.revoked', person, revoked, client)
      return { revoked: true }
    })
  }

  async look(token: string): ReturnType<Invitations['look']> {
    const found = await this.#find(token)
    if (!found) return undefined
    const { organization, invitation } = found
    const { id: organizationId, name, displayName } = organization
    return { organization: name, displayName, email: invitation.email, organizationId }
  }

  async accept(
    token: string,
    account: { readonly name: string; readonly password: string },
    client: Client,
  ): ReturnType<Invitations['accept']> {
    const found = await this.#find(token)
    if (!found) return { refused: 'token_invalid' }
    if (!isPersonName(account.name)) return { refused: 'invalid_request' }
    const { organization, invitation, digest } = found
    const { email } = invitation
    // The password before the token: somebody whose password is not accepted can still choose another.
    const { password: rules } = signInRules(organization.settings)
    const owner = { organization, email, rules }
    const made = await this.#options.newPasswords.make(account.password, owner)
    if (isRefused(made)) return made
    const name = account.name.trim()
    return this.#in(organization.id, (tx) =>
      this.#accept(tx, { digest, name, hash: made.hash }, client),
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

  /** Looks at a token without using it. */
  async #find(token: string): Promise<Found | undefined> {
    const presented = readToken('co', token)
    if (!presented) return undefined
    const { organizationId, digest } = presented
    return this.#in(organizationId, async (tx) => {
      const id = await findOneTimeToken(tx, 'invitation', digest)
      const invitation = id === undefined ? undefined : await openInvitation(tx, id)
      const [organization] = await carryOut(tx, [], [theirOrganization])
      if (!invitation || !organization) return undefined
      return isStanding(invitation, organization) ? { organization, invitation, digest } : undefined
    })
  }

  async #accept(
    tx: Transaction,
    {
      digest,
      name,
      hash,
    }: { readonly digest: Buffer; readonly name: string; readonly hash: string },
    client: Client,
  ): ReturnType<Invitations['accept']> {
    const [organization] = await carryOut(tx, [], [theirOrganization])
    if (!organization) return { refused: 'token_invalid' }
    await serializeOrganization(tx, organization.id)
    const id = await findOneTimeToken(tx, 'invitation', digest)
    const invitation = id === undefined ? undefined : await openInvitation(tx, id)
    if (!invitation || !isStanding(invitation, organization)) return { refused: 'token_invalid' }
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
    await this.#admit(tx, organization, invitation, { name, hash }, client)
    return { organization: organization.name, email }
  }

  async #admit(
    tx: Transaction,
    { id: organizationId }: PeoplesOrganization,
    { id: invitationId, email, role, projectId, invitedBy }: InvitationRow,
    { name, hash }: { readonly name: string; readonly hash: string },
    { requestId, address }: Client,
  ): Promise<void> {
    const userId = newId()
    await insertPerson(tx, { organizationId, id: userId, email, name, hash })
    // An owner whom the organization itself names is one without a binding.
    if (invitedBy !== null) {
      const given = { role, projectId: projectId ?? undefined }
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
    return writeInOrganization(this.#options.pool, { organizationId, actor }, work)
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
  readonly digest: Buffer
}

function isStanding(invitation: InvitationRow, { owners }: PeoplesOrganization): boolean {
  return stillStands({ byResource: invitation.invitedBy === null, email: invitation.email }, owners)
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
    exists: (await personByEmail(tx, email)) !== undefined,
    people: (await countPeople(tx)) + open,
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
