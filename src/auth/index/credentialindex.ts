import type {
  IndexedApiKey,
  IndexedOrganization,
  IndexedProject,
  IndexedRole,
  IndexedRoleBinding,
  IndexedSession,
  IndexSize,
} from '../../db/credentialindex.ts'
import { ApiKeyCredential } from './credential.ts'
import { DigestTable } from './digesttable.ts'
import { Directory } from './directory.ts'
import type { Meter } from './meter.ts'
import { PolicyPool } from './policy.ts'
import { RevokedTokens } from './revokedtokens.ts'
import type { SessionCredential } from './session.ts'
import { SessionTable, sessionKey } from './sessiontable.ts'
import { type LiveTenant, Tenant } from './tenant.ts'

/**
 * Every live credential by its digest, and the tenants that they belong to. Whatever is put in replaces what was there
 * under the same id, so the same record may be put in any number of times.
 */
export class CredentialIndex {
  readonly #credentials = new DigestTable<ApiKeyCredential>()
  /** By the API key's id; the first of its secrets, which leads to the others. */
  readonly #apiKeys = new Map<string, ApiKeyCredential>()
  readonly #sessions = new SessionTable()
  readonly #revokedTokens = new RevokedTokens()
  readonly #tenants = new Map<string, Tenant>()
  readonly #directory = new Directory()
  readonly #policies = new PolicyPool()
  #imported = 0
  #swept = 0
  #sweptSessions = 0

  /** How many secrets of API keys there are. */
  get size(): number {
    return this.#credentials.size
  }

  get sessions(): number {
    return this.#sessions.size
  }

  /**
   * Makes room for what is about to be loaded.
   * @param rows as PostgreSQL estimates them, those included that are over
   * @param former the index that this one takes the place of
   */
  reserve(rows: IndexSize, former: CredentialIndex): void {
    this.#credentials.reserve(rows.secrets, former.size)
    this.#sessions.reserve(rows.sessions, former.sessions)
  }

  /** How many API keys were minted elsewhere, so that their text may be anything. */
  get imported(): number {
    return this.#imported
  }

  /** An API key. @param digest SHA-256 of its text, as 32 latin1 characters */
  find(digest: string): ApiKeyCredential | undefined {
    return this.#credentials.get(digest)
  }

  /** @param digest SHA-256 of what the session is found by, as 32 latin1 characters */
  findSession(digest: string): SessionCredential | undefined {
    return this.#sessions.find(sessionKey(digest))
  }

  /** Whether an access token was revoked before its end. */
  isRevoked(organizationId: string, jti: string): boolean {
    return this.#revokedTokens.has(organizationId, jti)
  }

  /** A live organization. */
  tenantByName(name: string): LiveTenant | undefined {
    return this.#directory.tenantByName(name)
  }

  /** The live organizations whose people have addresses of a domain. */
  tenantsOfDomain(domain: string): readonly LiveTenant[] {
    return this.#directory.tenantsOfDomain(domain)
  }

  /** Whether any live organization's pages are of an origin. */
  isOrigin(origin: string): boolean {
    return this.#directory.isOrigin(origin)
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
    for (const organization of organizations) this.setOrganization(organization.id, organization)
  }

  /** @param row undefined: it is not live */
  setOrganization(id: string, row: IndexedOrganization | undefined): void {
    const tenant = this.tenant(id)
    this.#directory.remove(tenant)
    tenant.setOrganization(row)
    this.#directory.add(tenant)
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

  /** @param former an index that this one takes the place of */
  addSessions(rows: readonly IndexedSession[], former?: CredentialIndex): void {
    for (const row of rows) this.#setSession(row, former?.lastSeen(row.id))
  }

  /**
   * Puts sessions in the place of what was known of them.
   * @param rows those that are not over
   * @returns the keys of those that are no longer here
   */
  replaceSessions(ids: Iterable<string>, rows: readonly IndexedSession[]): string[] {
    const seen = new Map<string, number>()
    const keys: string[] = []
    for (const id of ids) {
      seen.set(id, this.lastSeen(id))
      const key = this.#sessions.deleteById(id)
      if (key !== undefined) keys.push(key)
    }
    for (const row of rows) this.#setSession(row, seen.get(row.id))
    return keys.filter((key) => !this.#sessions.has(key))
  }

  /** When a session was last seen here, in seconds since the epoch; 0 when it is not here. */
  lastSeen(id: string): number {
    return this.#sessions.lastSeen(id)
  }

  /** Whether there is a session of this key. */
  hasSession(key: string): boolean {
    return this.#sessions.has(key)
  }

  /** Notes that a session was seen. @param seconds since the epoch */
  touch(session: SessionCredential, seconds: number): void {
    this.#sessions.touch(session, seconds)
  }

  setRevokedToken(organizationId: string, jti: string, isRevoked: boolean): void {
    this.#revokedTokens.set(organizationId, jti, isRevoked)
  }

  /** Forgets those of the next `count` API keys, and of as many sessions, that are over. Call it again and again: it goes round. */
  sweep(now: number, count: number): void {
    this.#sweepSessions(now, count)
    const end = Math.min(this.#swept + count, this.#credentials.slots)
    for (let slot = this.#swept; slot < end; slot++) {
      const credential = this.#credentials.at(slot)
      if (credential !== undefined && credential.expiresAt <= now) this.#remove(credential)
    }
    this.#swept = end === this.#credentials.slots ? 0 : end
  }

  #sweepSessions(now: number, count: number): void {
    const { slots } = this.#sessions
    const end = Math.min(this.#sweptSessions + count, slots)
    for (let slot = this.#sweptSessions; slot < end; slot++) this.#sessions.sweep(slot, now)
    this.#sweptSessions = end === slots ? 0 : end
  }

  #setSession(row: IndexedSession, seen: number | undefined): void {
    const user = this.tenant(row.organizationId).user(row.userId)
    user.set(row)
    this.#sessions.set(row, user, seen)
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
