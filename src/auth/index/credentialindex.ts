import type {
  IndexedApiKey,
  IndexedOrganization,
  IndexedProject,
  IndexedRole,
  IndexedRoleBinding,
} from '../../db/credentialindex.ts'
import { ApiKeyCredential, type Credential } from './credential.ts'
import { DigestTable } from './digesttable.ts'
import type { Meter } from './meter.ts'
import { PolicyPool } from './policy.ts'
import { Tenant } from './tenant.ts'

/**
 * Every live credential by its digest, and the tenants that they belong to. Whatever is put in replaces what was there
 * under the same id, so the same record may be put in any number of times.
 */
export class CredentialIndex {
  readonly #credentials = new DigestTable<Credential>()
  /** By the API key's id; the first of its secrets, which leads to the others. */
  readonly #apiKeys = new Map<string, ApiKeyCredential>()
  readonly #tenants = new Map<string, Tenant>()
  readonly #policies = new PolicyPool()
  #imported = 0
  #swept = 0

  /** How many credentials there are. */
  get size(): number {
    return this.#credentials.size
  }

  /** How many of them were minted elsewhere, so that their text may be anything. */
  get imported(): number {
    return this.#imported
  }

  /** @param digest SHA-256 of the credential's text, as 32 latin1 characters */
  find(digest: string): Credential | undefined {
    return this.#credentials.get(digest)
  }

  /** One of the live secrets of a key, which leads to the others. */
  apiKey(id: string): ApiKeyCredential | undefined {
    return this.#apiKeys.get(id)
  }

  tenant(id: string): Tenant {
    let tenant = this.#tenants.get(id)
    if (tenant === undefined) {
      tenant = new Tenant(id)
      this.#tenants.set(id, tenant)
    }
    return tenant
  }

  setOrganizations(organizations: readonly IndexedOrganization[]): void {
    for (const organization of organizations) {
      this.tenant(organization.id).setOrganization(organization)
    }
  }

  setProjects(projects: readonly IndexedProject[]): void {
    for (const project of projects) {
      this.tenant(project.organizationId).setProject(project.id, project)
    }
  }

  setRoles(roles: readonly IndexedRole[]): void {
    for (const role of roles) this.tenant(role.organizationId).setRole(role.id, role)
  }

  setBindings(bindings: readonly IndexedRoleBinding[]): void {
    for (const binding of bindings) {
      this.tenant(binding.organizationId).setBinding(binding.id, binding)
    }
  }

  /**
   * Adds secrets of keys that have none of them here.
   * @param former an index that this one takes the place of
   */
  addApiKeys(rows: readonly IndexedApiKey[], former?: CredentialIndex): void {
    for (const row of rows) this.#addApiKey(row, former?.apiKey(row.id)?.meter)
  }

  /**
   * Puts keys in the place of what was known of them.
   * @param ids the keys
   * @param rows their live secrets; a key without any is forgotten
   * @returns the digests that are no longer here
   */
  replaceApiKeys(ids: Iterable<string>, rows: readonly IndexedApiKey[]): string[] {
    const meters = new Map<string, Meter | undefined>()
    const digests: string[] = []
    // All go before any comes: a digest may have passed from one key to another.
    for (const id of ids) {
      const first = this.#apiKeys.get(id)
      for (let secret = first; secret; secret = secret.sibling) {
        digests.push(this.#credentials.digest(secret.slot))
        this.#drop(secret)
      }
      this.#apiKeys.delete(id)
      meters.set(id, first?.meter)
    }
    for (const row of rows) this.#addApiKey(row, meters.get(row.id))
    return digests.filter((digest) => this.find(digest) === undefined)
  }

  /** Forgets those of the next `count` credentials that have expired. Call it again and again: it goes round. */
  sweep(now: number, count: number): void {
    const end = Math.min(this.#swept + count, this.#credentials.slots)
    for (let slot = this.#swept; slot < end; slot++) {
      const credential = this.#credentials.at(slot)
      if (credential !== undefined && credential.expiresAt <= now) this.#remove(credential)
    }
    this.#swept = end === this.#credentials.slots ? 0 : end
  }

  #addApiKey(row: IndexedApiKey, meter: Meter | undefined): void {
    const sibling = this.#apiKeys.get(row.id)
    const tenant = this.tenant(row.organizationId)
    const policy = this.#policies.acquire(row.policy)
    const credential = new ApiKeyCredential(row, tenant, policy, sibling)
    // An id is unique within an organization only: another one's key of the same id has a meter of its own.
    if (meter?.organizationId === tenant.id) credential.meter = meter
    this.#apiKeys.set(credential.apiKeyId, credential)
    credential.slot = this.#credentials.set(row.digest.toString('latin1'), credential)
    if (credential.imported) this.#imported++
  }

  #remove(credential: ApiKeyCredential): void {
    this.#drop(credential)
    const first = this.#apiKeys.get(credential.apiKeyId)
    if (first === credential) {
      if (credential.sibling) this.#apiKeys.set(credential.apiKeyId, credential.sibling)
      else this.#apiKeys.delete(credential.apiKeyId)
      return
    }
    for (let secret = first; secret; secret = secret.sibling) {
      if (secret.sibling === credential) secret.sibling = credential.sibling
    }
  }

  #drop(credential: ApiKeyCredential): void {
    this.#credentials.delete(credential.slot, credential)
    this.#policies.release(credential.policy)
    if (credential.imported) this.#imported--
  }
}
