/** Roles, and what they permit together. */
export interface RoleSet {
  readonly roles: readonly string[]
  /** A list as RFC 9110, section 5.6.1, writes it. */
  readonly header: string
  readonly json: string
  readonly permissions: readonly string[]
}

const maxShared = 10_000
const shared = new Map<string, RoleSet>()

/**
 * The set of these roles: the same object for all who have the same, in whichever organization.
 * @param roles what each permits, by name
 */
export function roleSet(roles: ReadonlyMap<string, readonly string[]>): RoleSet {
  const names = [...roles.keys()].sort()
  const permissions = [...new Set(names.flatMap((name) => roles.get(name) ?? []))]
  const key = JSON.stringify([names, permissions])
  let found = shared.get(key)
  if (found === undefined) {
    found = { roles: names, header: names.join(','), json: JSON.stringify(names), permissions }
    // What was shared stays right; only later ones are not shared with it.
    if (shared.size >= maxShared) shared.clear()
    shared.set(key, found)
  }
  return found
}
