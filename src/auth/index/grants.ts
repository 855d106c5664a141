import { builtInRoles, isBuiltInRole } from '../../domain/role.ts'
import { headerText } from './headertext.ts'
import { type RoleSet, roleSet } from './roleset.ts'
import { SmallMap } from './smallmap.ts'

/** A role, given to some on an organization or on a project of it. */
export interface Binding {
  readonly role: string
  /** Undefined: on the whole organization. */
  readonly projectId: string | undefined
  /** Names, as headers carry them. */
  readonly apiKeys: readonly string[]
  /** Addresses of people. */
  readonly users: readonly string[]
  readonly groups: readonly string[]
}

/** Whom a binding can name. */
type Subjects = 'apiKeys' | 'users' | 'groups'

export interface Role {
  readonly name: string
  readonly permissions: readonly string[]
}

/** Whoever may bind roles could otherwise have as many remembered as there are combinations of them. */
const maxSets = 256
/** Looking through this many names is as fast as finding one among more. */
const fewNames = 64

/** Who has which roles in an organization. It is made anew when a role, a binding or the owners change. */
export class Grants {
  readonly #apiKeys: BindingsByName
  readonly #users: BindingsByName
  readonly #groups: BindingsByName
  readonly #roles: readonly Role[]
  readonly #owners: readonly string[]
  /** By the roles' names: most who belong to an organization have the same few. */
  #sets = new SmallMap<RoleSet>()

  /** @param owners addresses of those who own the organization without a binding */
  constructor(
    bindings: readonly Binding[],
    roles: readonly Role[],
    owners: readonly string[] = [],
  ) {
    this.#apiKeys = new BindingsByName(bindings, 'apiKeys')
    this.#users = new BindingsByName(bindings, 'users')
    this.#groups = new BindingsByName(bindings, 'groups')
    this.#roles = roles
    this.#owners = owners
  }

  /**
   * @param name the key's, as a header carries it
   * @param projectId undefined: only what is given on the whole organization
   */
  ofApiKey(name: string, projectId: string | undefined): RoleSet {
    return this.#rolesBy(this.#apiKeys.of(name), projectId)
  }

  /** What is given to a person by their address, by a group of theirs, or by the organization that names them as an owner. */
  ofUser(
    { email, groups }: { readonly email: string; readonly groups: readonly string[] },
    projectId: string | undefined,
  ): RoleSet {
    const bindings = [
      this.#users.of(email),
      ...groups.map((group) => this.#groups.of(group)),
    ].flat()
    return this.#rolesBy(
      this.#owners.includes(email) ? [...bindings, ownership] : bindings,
      projectId,
    )
  }

  #rolesBy(
    bindings: readonly Pick<Binding, 'role' | 'projectId'>[],
    projectId: string | undefined,
  ): RoleSet {
    const given = bindings.filter(
      (binding) => binding.projectId === undefined || binding.projectId === projectId,
    )
    // No name that PostgreSQL keeps has a NUL in it; and one that is empty is not none.
    const names = given.map(({ role }) => `${role}\0`).join('')
    let set = this.#sets.get(names)
    if (set === undefined) {
      set = this.#setOf(given.map(({ role }) => role))
      if (this.#sets.size >= maxSets) this.#sets = new SmallMap()
      this.#sets.set(names, set)
    }
    return set
  }

  #setOf(names: readonly string[]): RoleSet {
    const roles = new Map<string, readonly string[]>()
    for (const name of names) {
      const permissions = this.#permissions(name)
      // A role that does not exist gives nothing, not even its name.
      if (permissions !== undefined) roles.set(headerText(name), permissions)
    }
    return roleSet(roles)
  }

  #permissions(role: string): readonly string[] | undefined {
    if (isBuiltInRole(role)) return builtInRoles[role]
    return this.#roles.find(({ name }) => name === role)?.permissions
  }
}

const ownership = { role: 'owner', projectId: undefined } as const

/** The bindings that name somebody. */
class BindingsByName {
  readonly #bindings: readonly Binding[]
  readonly #subjects: Subjects
  /** Only where there are many names. */
  readonly #byName: ReadonlyMap<string, readonly Binding[]> | undefined

  constructor(bindings: readonly Binding[], subjects: Subjects) {
    this.#bindings = bindings
    this.#subjects = subjects
    const names = bindings.reduce((sum, binding) => sum + binding[subjects].length, 0)
    if (names > fewNames) this.#byName = bindingsByName(bindings, subjects)
  }

  of(name: string): readonly Binding[] {
    if (this.#byName) return this.#byName.get(name) ?? []
    return this.#bindings.filter((binding) => binding[this.#subjects].includes(name))
  }
}

function bindingsByName(bindings: readonly Binding[], subjects: Subjects): Map<string, Binding[]> {
  const byName = new Map<string, Binding[]>()
  for (const binding of bindings) {
    for (const name of binding[subjects]) {
      const named = byName.get(name)
      if (named) named.push(binding)
      else byName.set(name, [binding])
    }
  }
  return byName
}
