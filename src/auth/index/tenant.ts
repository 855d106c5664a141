import type {
  IndexedOrganization,
  IndexedProject,
  IndexedRole,
  IndexedRoleBinding,
} from '../../db/credentialindex.ts'
import { type Binding, Grants, type Role } from './grants.ts'
import { headerText } from './headertext.ts'
import { sharedText } from './sharedtext.ts'
import { SmallMap } from './smallmap.ts'

/** A part of an organization. It is one object for as long as the index has it, so that keys can refer to it. */
export interface Project {
  readonly id: string
  /** Undefined as long as it is not known to be live. */
  name: string | undefined
}

/** An organization as the decision knows it: its projects, its roles and who has them. */
export class Tenant {
  readonly id: string
  /** Undefined as long as the organization is not known to be live: then nothing of it is admitted. */
  name: string | undefined = undefined
  readonly #projects = new SmallMap<Project>()
  readonly #roles = new SmallMap<Role>()
  readonly #bindings = new SmallMap<Binding>()
  /** Live ones; made when it is first asked for. */
  #projectsByName: ReadonlyMap<string, Project> | undefined
  #grants: Grants | undefined

  constructor(id: string) {
    this.id = id
  }

  /** Who has which roles here: another object after each change of a role or a binding. */
  get grants(): Grants {
    this.#grants ??= new Grants(this.#bindings.values(), this.#roles.values())
    return this.#grants
  }

  setOrganization(organization: IndexedOrganization | undefined): void {
    this.name = organization && headerText(organization.name)
  }

  setProject(id: string, row: IndexedProject | undefined): void {
    this.project(id).name = row && headerText(row.name)
    this.#projectsByName = undefined
  }

  setRole(id: string, row: IndexedRole | undefined): void {
    if (row) this.#roles.set(id, roleOf(row))
    else this.#roles.delete(id)
    this.#grants = undefined
  }

  setBinding(id: string, row: IndexedRoleBinding | undefined): void {
    if (row) this.#bindings.set(id, bindingOf(row))
    else this.#bindings.delete(id)
    this.#grants = undefined
  }

  project(id: string): Project {
    let project = this.#projects.get(id)
    if (project === undefined) {
      project = { id, name: undefined }
      this.#projects.set(id, project)
    }
    return project
  }

  /** A live project. */
  projectByName(name: string): Project | undefined {
    this.#projectsByName ??= new Map(
      this.#projects
        .values()
        .flatMap((project) => (project.name === undefined ? [] : [[project.name, project]])),
    )
    return this.#projectsByName.get(name)
  }
}

/** Copies have exactly the room that they need, which what was pushed into one by one has not. */
function roleOf({ name, permissions }: IndexedRole): Role {
  return { name: sharedText(name), permissions: permissions.map(sharedText) }
}

function bindingOf({ role, projectId, subjects }: IndexedRoleBinding): Binding {
  const apiKeys = subjects.filter(({ kind }) => kind === 'APIKey')
  return {
    role: sharedText(role),
    projectId: projectId ?? undefined,
    apiKeys: apiKeys.map(({ name }) => headerText(name)),
  }
}
