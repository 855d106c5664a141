import { builtInRoles, isBuiltInRole, permits } from './role.ts'

/** A binding of a role to people, as it is stored. */
export interface PersonalBinding {
  readonly id: string
  readonly role: string
  /** Null: on the whole organization. */
  readonly projectId: string | null
  readonly subjects: readonly { readonly kind: string; readonly name: string }[]
  /** The resource that declares it, as people name it; null: it was made at run time. */
  readonly declaredBy: string | null
}

export interface CustomRole {
  readonly name: string
  readonly permissions: readonly string[]
}

/** A role that somebody has, and where from. */
export interface GivenRole {
  readonly role: string
  /** Undefined: on the whole organization. */
  readonly projectId: string | undefined
  /** The resource that says so, as people name it; undefined: it was given at run time. */
  readonly declaredBy: string | undefined
  /** Undefined: the organization itself names its owners. */
  readonly bindingId: string | undefined
}

export interface RoleSubject {
  /** Canonical. */
  readonly email: string
  readonly groups: readonly string[]
}

/**
 * The roles of a person.
 * @param owners the addresses that the organization itself names as its owners
 */
export function rolesOfPerson(
  { email, groups }: RoleSubject,
  bindings: readonly PersonalBinding[],
  owners: readonly string[],
): readonly GivenRole[] {
  const named = bindings.filter(({ subjects }) =>
    subjects.some(
      ({ kind, name }) =>
        (kind === 'User' && spelling(name) === email) ||
        (kind === 'Group' && groups.includes(name)),
    ),
  )
  const given = named.map(({ id, role, projectId, declaredBy }) => ({
    role,
    projectId: projectId ?? undefined,
    declaredBy: declaredBy ?? undefined,
    bindingId: id,
  }))
  if (!owners.some((owner) => spelling(owner) === email)) return given
  const owner = { role: 'owner', projectId: undefined, bindingId: undefined }
  return [{ ...owner, declaredBy: 'The Organization' }, ...given]
}

/** The permissions that roles give on the whole organization. A role that does not exist gives none. */
export function permissionsOf(
  given: readonly GivenRole[],
  custom: readonly CustomRole[],
): readonly string[] {
  const names = given.flatMap(({ role, projectId }) => (projectId === undefined ? [role] : []))
  return [...new Set(names.flatMap((name) => permissionsOfRole(name, custom) ?? []))]
}

/** What a role permits; undefined when there is no such role. */
export function permissionsOfRole(
  name: string,
  custom: readonly CustomRole[],
): readonly string[] | undefined {
  if (isBuiltInRole(name)) return builtInRoles[name]
  return custom.find((role) => role.name === name)?.permissions
}

/** The names of the roles that somebody has on the whole organization, in order, each once; of those alone that exist. */
export function roleNamesOf(
  given: readonly GivenRole[],
  custom: readonly CustomRole[],
): readonly string[] {
  const names = given.filter(
    ({ role, projectId }) => projectId === undefined && permissionsOfRole(role, custom),
  )
  return [...new Set(names.map(({ role }) => role))].sort()
}

/** Nobody gives what they do not have: whoever may change roles could otherwise make an owner, and through that one be it. */
export function mayGive(own: readonly string[], permissions: readonly string[]): boolean {
  return permissions.every((permission) => permits(own, permission))
}

function isOwner(given: readonly GivenRole[]): boolean {
  return given.some(({ role, projectId }) => role === 'owner' && projectId === undefined)
}

/** Whether somebody may act on another's account at all, whatever their permissions say: on an owner, only an owner may. */
export function mayActOn(actor: readonly GivenRole[], other: readonly GivenRole[]): boolean {
  return !isOwner(other) || isOwner(actor)
}

/** A person, as far as the last owner goes. */
export interface Ownership {
  readonly id: string
  /** Neither suspended nor unverified. */
  readonly active: boolean
  readonly roles: readonly GivenRole[]
}

/** Whether an organization would be left without anybody who can sign in and owns it, if this one did not count. */
export function isLastOwner(id: string, people: readonly Ownership[]): boolean {
  const owners = people.filter(({ active, roles }) => active && isOwner(roles))
  return owners.some((owner) => owner.id === id) && owners.every((owner) => owner.id === id)
}

export interface WantedRole {
  readonly role: string
  readonly projectId: string | undefined
}

/** What turns the roles that somebody has into those that they are to have. */
export interface RoleChange {
  readonly give: readonly WantedRole[]
  /** Given at run time. */
  readonly take: readonly (GivenRole & { readonly bindingId: string })[]
  /** Would have to go too, but a resource says that they have them. */
  readonly declared: readonly GivenRole[]
}

/** @param wanted all roles that the person is to have, those included that resources give */
export function planRoles(given: readonly GivenRole[], wanted: readonly WantedRole[]): RoleChange {
  const has = (list: readonly WantedRole[], { role, projectId }: WantedRole): boolean =>
    list.some((one) => one.role === role && one.projectId === projectId)
  const surplus = given.filter((one) => !has(wanted, one))
  return {
    give: wanted.filter((one, at) => !has(given, one) && !has(wanted.slice(0, at), one)),
    take: surplus.flatMap((one) =>
      one.declaredBy === undefined && one.bindingId !== undefined
        ? [{ ...one, bindingId: one.bindingId }]
        : [],
    ),
    declared: surplus.filter(({ declaredBy }) => declaredBy !== undefined),
  }
}

/** The name of the binding by which a person is given a role at run time. */
export function memberBindingName(userId: string, { role, projectId }: WantedRole): string {
  return ['member', userId, role, ...(projectId === undefined ? [] : [projectId])].join('-')
}

/** Resources are written by people: an address may be spelt as they like. */
function spelling(email: string): string {
  return email.trim().toLowerCase()
}
