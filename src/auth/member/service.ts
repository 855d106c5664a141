import type { Pool } from 'pg'
import { openInvitationsBy } from '../../db/invitation.ts'
import { insertMemberBinding, leaveBinding } from '../../db/memberrole.ts'
import { serializeOrganization } from '../../db/organization.ts'
import { carryOut, type Transaction, writeInOrganization } from '../../db/transaction.ts'
import {
  deleteUser,
  findUser,
  listUsers,
  renameUser,
  suspendUser,
  type User,
} from '../../db/user.ts'
import { authActor } from '../../domain/actor.ts'
import { memberBindingName, planRoles, type RoleChange } from '../../domain/member.ts'
import { isPersonName } from '../../domain/personname.ts'
import { isUuid } from '../../domain/uuid.ts'
import { lapsedInvitations, withdrawInvitations } from '../invitation/withdrawal.ts'
import type { Client, Member, MemberRefusal, Members, Person, Refused } from '../people.ts'
import { RefusalError } from '../refusal.ts'
import type { SessionStarter } from '../session/start.ts'
import { auditingDeed } from '../trail.ts'
import { type NamedRole, Staff } from './staff.ts'

export interface MemberServiceOptions {
  readonly pool: Pool
  readonly starter: SessionStarter
}

type Denied = Refused<'permission_denied'>
/** What an act comes to. */
type Outcome<T> = T | Refused<MemberRefusal>
type Deed = 'user.roles_changed' | 'user.suspended' | 'user.resumed' | 'user.removed'

/** Whom somebody acts on, and with what right. */
interface Act {
  readonly tx: Transaction
  readonly staff: Staff
  readonly other: User
}

/** The people of an organization, for one another. */
export class MemberService implements Members {
  readonly #options: MemberServiceOptions

  constructor(options: MemberServiceOptions) {
    this.#options = options
  }

  async me(
    person: Person,
  ): Promise<Member & { readonly organization: string; readonly displayName: string }> {
    return this.#in(person, async (tx) => {
      const staff = await Staff.read(tx, person)
      const self = await findUser(tx, person.userId)
      if (!staff || !self) throw new RefusalError('credential_invalid')
      const { name: organization, displayName } = staff.organization
      return { ...staff.memberOf(self), organization, displayName }
    })
  }

  async rename(
    person: Person,
    name: string,
    client: Client,
  ): Promise<{ readonly renamed: true } | Refused<'invalid_request'>> {
    if (!isPersonName(name)) return { refused: 'invalid_request' }
    const { organizationId, userId, email } = person
    return this.#in(person, async (tx) => {
      await renameUser(tx, userId, name.trim())
      const deed = auditingDeed({
        organizationId,
        userId,
        action: 'user.renamed',
        target: { kind: 'user', id: userId, name: email },
        requestId: client.requestId,
      })
      await carryOut(tx, [deed], [])
      return { renamed: true }
    })
  }

  async list(
    person: Person,
    { after, limit }: { readonly after?: string | undefined; readonly limit: number },
  ): Promise<{ readonly members: readonly Member[]; readonly next: string | undefined } | Denied> {
    return this.#in(person, async (tx) => {
      const staff = await Staff.read(tx, person)
      if (!staff?.may('members:read')) return { refused: 'permission_denied' }
      const from = after !== undefined && isUuid(after) ? after : undefined
      // One more than is answered tells whether there is a next page.
      const people = await listUsers(tx, from, limit + 1)
      const page = people.slice(0, limit)
      const next = people.length > limit ? page.at(-1)?.id : undefined
      return { members: page.map((one) => staff.memberOf(one)), next }
    })
  }

  async setRoles(
    person: Person,
    id: string,
    roles: readonly NamedRole[],
    client: Client,
  ): ReturnType<Members['setRoles']> {
    type Changed = Outcome<{ readonly member: Member; readonly cookie: string | undefined }>
    return this.#act<Changed>(person, id, 'members:update', async ({ tx, staff, other }) => {
      const wanted = staff.find(roles)
      if ('refused' in wanted) return wanted
      // What a resource gives without effect nobody sees, and nobody can be asked to name it.
      const given = staff.rolesOf(other).filter((one) => !one.declaredBy || staff.isInForce(one))
      const change = planRoles(given, wanted)
      if (change.declared.length > 0) return managedByResource(change)
      // What they may not give to others they may not give to themselves either.
      if (!change.give.every(({ role }) => staff.mayGive(role))) {
        return { refused: 'permission_denied' }
      }
      const staysOwner = wanted.some((one) => one.role === 'owner' && one.projectId === undefined)
      if (!staysOwner && (await staff.isLastOwner(id))) return { refused: 'last_owner' }
      const changed = change.give.length + change.take.length > 0
      if (changed) await this.#carryOutRoles(tx, person, other, change, client)
      const after = await Staff.read(tx, person)
      // Somebody's own privileges changed: the id that they had with the former ones is of no use any more.
      const cookie =
        changed && id === person.userId
          ? await this.#options.starter.renew(tx, person.sessionId)
          : undefined
      return { member: (after ?? staff).memberOf(other), cookie }
    })
  }

  async setSuspended(
    person: Person,
    id: string,
    suspended: boolean,
    client: Client,
  ): ReturnType<Members['setSuspended']> {
    return this.#act<Outcome<Member>>(person, id, 'members:update', async (act) => {
      const { tx, staff, other } = act
      if (suspended && (await staff.isLastOwner(id))) return { refused: 'last_owner' }
      if (await suspendUser(tx, id, suspended)) {
        const deed = suspended ? 'user.suspended' : 'user.resumed'
        await this.#audit(tx, deed, person, other, client)
        if (suspended) await this.#disempower(tx, person, other, 'suspended', client)
      }
      return staff.memberOf({ ...other, suspended })
    })
  }

  async remove(person: Person, id: string, client: Client): ReturnType<Members['remove']> {
    return this.#act<Outcome<{ readonly removed: true }>>(
      person,
      id,
      'members:delete',
      async (act) => {
        const { tx, staff, other } = act
        if (await staff.isLastOwner(id)) return { refused: 'last_owner' }
        const { take, declared } = planRoles(staff.rolesOf(other), [])
        // Whom the organization itself names would be invited again: only there it is said for good.
        const named = declared.filter(({ bindingId }) => bindingId === undefined)
        if (named.length > 0) return managedByResource({ declared: named })
        for (const { bindingId } of take) await leaveBinding(tx, bindingId, other.email)
        await this.#disempower(tx, person, other, 'removed', client)
        await this.#audit(tx, 'user.removed', person, other, client)
        await deleteUser(tx, id)
        return { removed: true }
      },
    )
  }

  /** Ends the sessions of another member. */
  async endSessionsOf(
    person: Person,
    id: string,
    client: Client,
  ): Promise<{ readonly revoked: number } | Refused<'permission_denied' | 'not_found'>> {
    return this.#act(person, id, 'members:update', async ({ tx, other }) => ({
      revoked: await this.#endSessions(tx, person, other, 'forced', client),
    }))
  }

  /**
   * Does something to another person's account, one after another in each organization: two who demote each other at the same
   * moment would otherwise leave it without an owner. Who may not do it learns nothing about whom.
   */
  async #act<T>(
    person: Person,
    id: string,
    permission: string,
    work: (act: Act) => Promise<T>,
  ): Promise<T | Refused<'permission_denied' | 'not_found'>> {
    return this.#in(person, async (tx) => {
      await serializeOrganization(tx, person.organizationId)
      const staff = await Staff.read(tx, person)
      if (!staff?.may(permission)) return { refused: 'permission_denied' }
      const other = isUuid(id) ? await findUser(tx, id) : undefined
      if (!other) return { refused: 'not_found' }
      if (!staff.mayActOn(other)) return { refused: 'permission_denied' }
      return work({ tx, staff, other })
    })
  }

  async #carryOutRoles(
    tx: Transaction,
    person: Person,
    other: User,
    { give, take }: RoleChange,
    client: Client,
  ): Promise<void> {
    const { organizationId } = person
    for (const { bindingId } of take) await leaveBinding(tx, bindingId, other.email)
    for (const { role, projectId } of give) {
      const name = memberBindingName(other.id, { role, projectId })
      await insertMemberBinding(tx, { organizationId, name, role, projectId, email: other.email })
    }
    const plain = ({ role, projectId }: (typeof give)[number]) => ({ role, projectId })
    const detail = { given: give.map(plain), taken: take.map(plain) }
    await this.#audit(tx, 'user.roles_changed', person, other, client, detail)
    const { requestId } = client
    const withdrawal = { organizationId, userId: person.userId, requestId }
    const lapsed = await lapsedInvitations(tx, other.id)
    await withdrawInvitations(tx, lapsed, { ...withdrawal, reason: 'inviter_demoted' })
  }

  /** What somebody who is to do nothing any more has left behind: sessions, and invitations to those who might act for them. */
  async #disempower(
    tx: Transaction,
    person: Person,
    other: User,
    reason: 'suspended' | 'removed',
    client: Client,
  ): Promise<void> {
    await this.#endSessions(tx, person, other, reason, client)
    const { organizationId, userId } = person
    const { requestId } = client
    const open = await openInvitationsBy(tx, other.id)
    const withdrawal = { organizationId, userId, reason: `inviter_${reason}`, requestId }
    await withdrawInvitations(tx, open, withdrawal)
  }

  async #endSessions(
    tx: Transaction,
    { organizationId, userId }: Person,
    user: User,
    reason: string,
    { requestId }: Client,
  ): Promise<number> {
    const { starter } = this.#options
    return starter.endAll(tx, { organizationId, user, by: userId, reason, requestId })
  }

  async #audit(
    tx: Transaction,
    action: Deed,
    { organizationId, userId }: Person,
    other: User,
    { requestId }: Client,
    detail?: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    const target = { kind: 'user' as const, id: other.id, name: other.email }
    const deed = { organizationId, userId, action, target, requestId, ...(detail && { detail }) }
    await carryOut(tx, [auditingDeed(deed)], [])
  }

  #in<T>({ organizationId }: Person, work: (tx: Transaction) => Promise<T>): Promise<T> {
    return writeInOrganization(this.#options.pool, { organizationId, actor: authActor }, work)
  }
}

function managedByResource({
  declared,
}: Pick<RoleChange, 'declared'>): Refused<'managed_by_resource'> {
  const details = declared.map(
    ({ role, declaredBy }) => `${declaredBy} gives the role ${role}: change it there.`,
  )
  return { refused: 'managed_by_resource', details }
}
