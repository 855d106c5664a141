import type { Grants } from './grants.ts'
import type { RoleSet } from './roleset.ts'
import type { Project, Tenant } from './tenant.ts'

/** Anybody who has roles in an organization. There may be a million: it keeps the roles that it was asked for last, and no more. */
export abstract class RoleHolder {
  abstract readonly tenant: Tenant
  #roles: RoleSet | undefined = undefined
  /** On which project, and in which grants: other ones make them out of date. */
  #project: Project | undefined = undefined
  #grants: Grants | undefined = undefined

  /** The roles that it has, on a project or, without one, on the whole organization. */
  rolesOn(project: Project | undefined): RoleSet {
    const { grants } = this.tenant
    if (!this.#roles || this.#grants !== grants || this.#project !== project) {
      this.#roles = this.rolesIn(grants, project?.id)
      this.#project = project
      this.#grants = grants
    }
    return this.#roles
  }

  protected abstract rolesIn(grants: Grants, projectId: string | undefined): RoleSet

  /** To be called when something else changed that roles depend on. */
  protected forgetRoles(): void {
    this.#roles = undefined
  }
}
