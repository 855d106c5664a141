import { isLiveTenant, type LiveTenant, type Tenant } from './tenant.ts'

const nobody: readonly LiveTenant[] = []

/** The organizations by what people call them: their names, the domains of their addresses, the origins of their pages. */
export class Directory {
  readonly #byName = new Map<string, LiveTenant>()
  readonly #byDomain = new Map<string, readonly LiveTenant[]>()
  readonly #byOrigin = new Map<string, readonly LiveTenant[]>()

  tenantByName(name: string): LiveTenant | undefined {
    return this.#byName.get(name)
  }

  tenantsOfDomain(domain: string): readonly LiveTenant[] {
    return this.#byDomain.get(domain) ?? nobody
  }

  isOrigin(origin: string): boolean {
    return this.#byOrigin.has(origin)
  }

  /** To be called when what an organization says of itself is there; `remove` before it changes. */
  add(tenant: Tenant): void {
    if (!isLiveTenant(tenant)) return
    this.#byName.set(tenant.name, tenant)
    for (const domain of tenant.domains) append(this.#byDomain, domain, tenant)
    for (const origin of tenant.origins) append(this.#byOrigin, origin, tenant)
  }

  remove(tenant: Tenant): void {
    const { name, domains, origins } = tenant
    // Another one may have taken the name already.
    if (name !== undefined && this.#byName.get(name) === tenant) this.#byName.delete(name)
    for (const domain of domains) without(this.#byDomain, domain, tenant)
    for (const origin of origins) without(this.#byOrigin, origin, tenant)
  }
}

type Tenants = Map<string, readonly LiveTenant[]>

function append(tenants: Tenants, key: string, tenant: LiveTenant): void {
  const present = tenants.get(key) ?? nobody
  if (!present.includes(tenant)) tenants.set(key, [...present, tenant])
}

function without(tenants: Tenants, key: string, tenant: Tenant): void {
  const rest = (tenants.get(key) ?? nobody).filter((other) => other !== tenant)
  if (rest.length > 0) tenants.set(key, rest)
  else tenants.delete(key)
}
