import { customRoles, personalBindings, projectNames } from '../../db/memberrole.ts'
import { type PeoplesOrganization, theirOrganization } from '../../db/organization.ts'
import { carryOut, type Transaction } from '../../db/transaction.ts'
import { findUser, type User, usersNamed } from '../../db/user.ts'
import {
  type CustomRole,
  type GivenRole,
  isLastOwner,
  mayActOn,
  mayGive,
  type PersonalBinding,
  permissionsOf,
  permissionsOfRole,
  rolesOfPerson,
  type WantedRole,
} from '../../domain/member.ts'
import { permits } from '../../domain/role.ts'
import type { Member, Person } from '../people.ts'

/** A role, as requests name it: its project by name. */
export interface NamedRole {
  readonly role: string
  readonly project?: string | undefined
}

/**
 * The people of an organization and what they may do, as one transaction reads it. What somebody asks for is decided by what
 * the database says in the very transaction that carries it out, so that whoever was demoted a moment ago cannot use what a
 * replica still remembers.
 */
export class Staff {
  readonly organization: PeoplesOrganization
  readonly #tx: Transaction
  readonly #bindings: readonly PersonalBinding[]
  readonly #custom: readonly CustomRole[]
  readonly #projects: ReadonlyMap<string, string>
  readonly #actor: readonly GivenRole[]
  readonly #permissions: readonly string[]

  private constructor(
    tx: Transaction,
    organization: PeoplesOrganization,
    bindings: readonly PersonalBinding[],
    custom: readonly CustomRole[],
    projects: ReadonlyMap<string, string>,
    actor: User,
  ) {
    this.#tx = tx
    this.organization = organization
    this.#bindings = bindings
    this.#custom = custom
    this.#projects = projects
    this.#actor = this.rolesOf(actor)
    this.#permissions = permissionsOf(this.#actor, custom)
  }

  /** @returns undefined when whoever asks is suspended or gone by now, or their organization is */
  static async read(
    tx: Transaction,
    { userId }: Pick<Person, 'userId'>,
  ): Promise<Staff | undefined> {
    const [organization, custom] = await carryOut(tx, [], [theirOrganization, customRoles])
    const actor = await findUser(tx, userId)
    if (!organization || !actor?.active) return undefined
    const bindings = await personalBindings(tx)
    const projects = await projectNames(tx)
    const names = new Map(projects.map(({ id, name }) => [id, name]))
    return new Staff(tx, organization, bindings, custom, names, actor)
  }

  rolesOf(person: Pick<User, 'email' | 'groups'>): readonly GivenRole[] {
    return rolesOfPerson(person, this.#bindings, this.organization.owners)
  }

  /** Whether whoever asks has a permission on the whole organization. */
  may(permission: string): boolean {
    return permits(this.#permissions, permission)
  }

  /** Whether whoever asks may do something to this person's account at all. */
  mayActOn(other: User): boolean {
    return mayActOn(this.#actor, this.rolesOf(other))
  }

  /** The same for the account that an invitation would make. */
  mayActOnInvited(to: WantedRole): boolean {
    return mayActOn(this.#actor, [{ ...to, declaredBy: undefined, bindingId: undefined }])
  }

  /** Whether whoever asks may have somebody become a member with this role. */
  mayInvite(to: WantedRole): boolean {
    return this.may('members:create') && this.isInForce(to) && this.mayGive(to.role)
  }

  /** Whether whoever asks may give a role, which must not permit anything that they may not do themselves. */
  mayGive(role: string): boolean {
    return mayGive(this.#permissions, permissionsOfRole(role, this.#custom) ?? [])
  }

  /** Reads roles as requests name them. */
  find(
    named: readonly NamedRole[],
  ): readonly WantedRole[] | { readonly refused: 'role_not_found' | 'project_not_found' } {
    const ids = new Map([...this.#projects].map(([id, name]) => [name, id]))
    if (named.some(({ role }) => permissionsOfRole(role, this.#custom) === undefined)) {
      return { refused: 'role_not_found' }
    }
    if (named.some(({ project }) => project !== undefined && !ids.has(project))) {
      return { refused: 'project_not_found' }
    }
    return named.map(({ role, project }) => ({
      role,
      projectId: project === undefined ? undefined : ids.get(project),
    }))
  }

  /** Whether this is the last person who owns the organization and can sign in. */
  async isLastOwner(id: string): Promise<boolean> {
    const owning = this.#bindings.filter(
      ({ role, projectId }) => role === 'owner' && projectId === null,
    )
    const subjects = owning.flatMap((binding) => binding.subjects)
    const named = (kind: string) => subjects.filter((s) => s.kind === kind).map(({ name }) => name)
    const emails = [...named('User'), ...this.organization.owners]
    const lower = emails.map((email) => email.trim().toLowerCase())
    const people = await usersNamed(this.#tx, lower, named('Group'))
    const owners = people.map((one) => ({
      id: one.id,
      active: one.active,
      roles: this.rolesOf(one),
    }))
    return isLastOwner(id, owners)
  }

  /** Whether a role gives anything at all: it exists, and so does its project. */
  isInForce({ role, projectId }: WantedRole): boolean {
    if (permissionsOfRole(role, this.#custom) === undefined) return false
    return projectId === undefined || this.#projects.has(projectId)
  }

  memberOf(person: User): Member {
    const { id, email, name, suspended, createdAt, lastSignedInAt } = person
    const inForce = this.rolesOf(person).filter((given) => this.isInForce(given))
    const roles = inForce.map(({ role, projectId, declaredBy }) => ({
      role,
      project: projectId === undefined ? undefined : this.#projects.get(projectId),
      source: declaredBy === undefined ? ('api' as const) : ('resource' as const),
    }))
    const status = suspended ? 'suspended' : 'active'
    const at = { createdAt, lastSignedInAt: lastSignedInAt ?? undefined }
    return { id, email, name, status, roles, ...at }
  }
}
