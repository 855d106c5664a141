import type {
  IndexedOrganization,
  IndexedProject,
  IndexedRole,
  IndexedRoleBinding,
} from '../../db/credentialindex.ts'
import { builtInRoles, isBuiltInRole } from '../../domain/role.ts'
import { headerText } from './headertext.ts'

/** The roles that a subject has in one place, and what they permit together. */
export interface Grants {
  readonly roles: readonly string[]
  /** A list as RFC 9110, section 5.6.1, writes it. */
  readonly rolesHeader: string
  readonly rolesJson: string
  readonly permissions: readonly string[]
}

const noGrants: Grants = { roles: [], rolesHeader: '', rolesJson: '[]', permissions: [] }

interface Binding {
  readonly role: string
  /** Undefined: on the whole organization. */
  readonly projectId: string | undefined
}

/** The bindings of one subject, and the grants that were worked out from them so far. */
interface Subject {
  readonly bindings: Binding[]
  readonly grants: Map<string | undefined, Grants>
}

/** An organization as the decision knows it: its projects, its roles and who has them. */
export class Tenant {
  readonly id: string
  /** Undefined as long as the organization is not known to be live: then nothing of it is admitted. */
  name: string | undefined
  readonly #projects = new Map<string, string>()
  readonly #projectIds = new Map<string, string>()
  readonly #roles = new Map<string, IndexedRole>()
  readonly #bindings = new Map<string, IndexedRoleBinding>()
  /** By name. */
  #customRoles = new Map<string, readonly string[]>()
  /** By the name of the API key; worked out, like the custom roles, when first asked after a change. */
  #apiKeys: Map<string, Subject> | undefined

  constructor(id: string) {
    this.id = id
  }

  setOrganization(organization: IndexedOrganization | undefined): void {
    this.name = organization && headerText(organization.name)
  }

  setProject(id: string, project: IndexedProject | undefined): void {
    const former = this.#projects.get(id)
    if (former !== undefined && this.#projectIds.get(former) === id) this.#projectIds.delete(former)
    this.#projects.delete(id)
    if (project === undefined) return
    const name = headerText(project.name)
    this.#projects.set(id, name)
    this.#projectIds.set(name, id)
  }

  setRole(id: string, role: IndexedRole | undefined): void {
    if (role) this.#roles.set(id, role)
    else this.#roles.delete(id)
    this.#apiKeys = undefined
  }

  setBinding(id: string, binding: IndexedRoleBinding | undefined): void {
    if (binding) this.#bindings.set(id, binding)
    else this.#bindings.delete(id)
    this.#apiKeys = undefined
  }

  /** A live project's name. */
  projectName(id: string): string | undefined {
    return this.#projects.get(id)
  }

  /** A live project's id. */
  projectId(name: string): string | undefined {
    return this.#projectIds.get(name)
  }

  /**
   * What an API key may do, on the organization and, when one is given, on a project.
   * @param name the key's
   */
  grantsOfApiKey(name: string, projectId: string | undefined): Grants {
    this.#apiKeys ??= this.#subjects('APIKey')
    const subject = this.#apiKeys.get(name)
    if (subject === undefined) return noGrants
    let grants = subject.grants.get(projectId)
    if (grants === undefined) {
      grants = this.#grants(subject.bindings, projectId)
      subject.grants.set(projectId, grants)
    }
    return grants
  }

  #subjects(kind: string): Map<string, Subject> {
    const roles = [...this.#roles.values()]
    this.#customRoles = new Map(roles.map(({ name, permissions }) => [name, permissions]))
    const subjects = new Map<string, Subject>()
    for (const { role, projectId, subjects: named } of this.#bindings.values()) {
      for (const subject of named) {
        if (subject.kind !== kind) continue
        const name = headerText(subject.name)
        let entry = subjects.get(name)
        if (entry === undefined) {
          entry = { bindings: [], grants: new Map() }
          subjects.set(name, entry)
        }
        entry.bindings.push({ role, projectId: projectId ?? undefined })
      }
    }
    return subjects
  }

  #grants(bindings: readonly Binding[], projectId: string | undefined): Grants {
    const permissions = new Map<string, readonly string[]>()
    for (const binding of bindings) {
      if (binding.projectId !== undefined && binding.projectId !== projectId) continue
      const permitted = this.#permissions(binding.role)
      // A role that does not exist gives nothing, not even its name.
      if (permitted !== undefined) permissions.set(headerText(binding.role), permitted)
    }
    const roles = [...permissions.keys()].sort()
    return {
      roles,
      rolesHeader: roles.join(','),
      rolesJson: JSON.stringify(roles),
      permissions: [...new Set([...permissions.values()].flat())],
    }
  }

  #permissions(role: string): readonly string[] | undefined {
    return isBuiltInRole(role) ? builtInRoles[role] : this.#customRoles.get(role)
  }
}
