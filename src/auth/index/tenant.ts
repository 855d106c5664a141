import type {
  IndexedOrganization,
  IndexedProject,
  IndexedRole,
  IndexedRoleBinding,
  IndexedUser,
} from '../../db/credentialindex.ts'
import { type Binding, Grants, type Role } from './grants.ts'
import { headerText } from './headertext.ts'
import { sharedText } from './sharedtext.ts'
import { SmallMap } from './smallmap.ts'
import { User } from './user.ts'

const none: readonly string[] = []

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
  displayName = ''
  /** Those of its people's addresses; none: any. */
  domains: readonly string[] = none
  /** From where browsers may ask with its sessions. */
  origins: readonly string[] = none
  /** Milliseconds since the epoch: sessions that began before are over. */
  sessionsRevokedBefore: number | undefined = undefined
  #owners: readonly string[] = none
  readonly #projects = new SmallMap<Project>()
  readonly #users = new SmallMap<User>()
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
    this.#grants ??= new Grants(this.#bindings.values(), this.#roles.values(), this.#owners)
    return this.#grants
  }

  setOrganization(organization: IndexedOrganization | undefined): void {
    this.name = organization && headerText(organization.name)
    this.displayName = organization?.displayName ?? ''
    this.domains = listOf(organization?.domains.map(lowerCase))
    this.origins = listOf(organization?.origins)
    this.sessionsRevokedBefore = organization?.sessionsRevokedBefore ?? undefined
    const owners = listOf(organization?.owners.map(lowerCase))
    if (owners.join() !== this.#owners.join()) this.#grants = undefined
    this.#owners = owners
  }

  /** Somebody of this organization: one object for as long as the index has a session of theirs. */
  user(id: string): User {
    let user = this.#users.get(id)
    if (user === undefined) {
      user = new User(id, this)
      this.#users.set(id, user)
    }
    return user
  }

  /** Puts in what is known of somebody, if anything of theirs is here. */
  setUser(id: string, row: IndexedUser | undefined): void {
    this.#users.get(id)?.set(row)
  }

  forgetUser(user: User): void {
    if (this.#users.get(user.id) === user) this.#users.delete(user.id)
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

/** One that is known to be live. */
export type LiveTenant = Tenant & { readonly name: string }

export function isLiveTenant(tenant: Tenant): tenant is LiveTenant {
  return tenant.name !== undefined
}

/** Copies have exactly the room that they need, which what was pushed into one by one has not. */
function roleOf({ name, permissions }: IndexedRole): Role {
  return { name: sharedText(name), permissions: permissions.map(sharedText) }
}

function bindingOf({ role, projectId, subjects }: IndexedRoleBinding): Binding {
  const named = (wanted: string) =>
    subjects.filter(({ kind }) => kind === wanted).map(({ name }) => name)
  return {
    role: sharedText(role),
    projectId: projectId ?? undefined,
    apiKeys: listOf(named('APIKey').map(headerText)),
    users: listOf(named('User').map(lowerCase)),
    groups: listOf(named('Group').map(sharedText)),
  }
}

/** Most organizations have nothing in most of their lists: that is one list for all. */
function listOf(texts: readonly string[] = none): readonly string[] {
  return texts.length === 0 ? none : texts
}

/** Addresses and domains in the one spelling that those of people have, whatever a resource writes. */
function lowerCase(text: string): string {
  return text.trim().toLowerCase()
}
