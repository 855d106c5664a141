import { builtInRoles, isBuiltInRole } from '../../domain/role.ts'
import { headerText } from './headertext.ts'
import { type RoleSet, roleSet } from './roleset.ts'

/** A role, given to some on an organization or on a project of it. */
export interface Binding {
  readonly role: string
  /** Undefined: on the whole organization. */
  readonly projectId: string | undefined
  /** Names, as headers carry them. */
  readonly apiKeys: readonly string[]
}

export interface Role {
  readonly name: string
  readonly permissions: readonly string[]
}

/** Looking through this many names is as fast as finding one among more. */
const fewNames = 64

/** Who has which roles in an organization. It is made anew when a role or a binding changes. */
export class Grants {
  readonly #bindings: readonly Binding[]
  readonly #roles: readonly Role[]
  /** Only where there are many names. */
  readonly #byName: ReadonlyMap<string, readonly Binding[]> | undefined

  constructor(bindings: readonly Binding[], roles: readonly Role[]) {
    this.#bindings = bindings
    this.#roles = roles
    const names = bindings.reduce((sum, { apiKeys }) => sum + apiKeys.length, 0)
    if (names > fewNames) this.#byName = bindingsByName(bindings)
  }

  /**
   * @param name the key's, as a header carries it
   * @param projectId undefined: only what is given on the whole organization
   */
  ofApiKey(name: string, projectId: string | undefined): RoleSet {
    const bindings = this.#byName
      ? (this.#byName.get(name) ?? [])
      : this.#bindings.filter(({ apiKeys }) => apiKeys.includes(name))
    const roles = new Map<string, readonly string[]>()
    for (const binding of bindings) {
      if (binding.projectId !== undefined && binding.projectId !== projectId) continue
      const permissions = this.#permissions(binding.role)
      // A role that does not exist gives nothing, not even its name.
      if (permissions !== undefined) roles.set(headerText(binding.role), permissions)
    }
    return roleSet(roles)
  }

  #permissions(role: string): readonly string[] | undefined {
    if (isBuiltInRole(role)) return builtInRoles[role]
    return this.#roles.find(({ name }) => name === role)?.permissions
  }
}

function bindingsByName(bindings: readonly Binding[]): Map<string, Binding[]> {
  const byName = new Map<string, Binding[]>()
  for (const binding of bindings) {
    for (const name of binding.apiKeys) {
      const named = byName.get(name)
      if (named) named.push(binding)
      else byName.set(name, [binding])
    }
  }
  return byName
}
