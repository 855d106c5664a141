/** The built-in roles and what each permits on Cardea's own resources: `resource:verb`, where `*` is every verb. */
export const builtInRoles = {
  owner: ['*:*'],
  admin: [
    'projects:*',
    'api-keys:*',
    'members:*',
    'roles:*',
    'role-bindings:*',
    'sso-configs:*',
    'provider-credentials:*',
    'settings:*',
    'usage:read',
    'audit:read',
  ],
  developer: [
    'projects:read',
    'api-keys:*',
    'provider-credentials:read',
    'members:read',
    'usage:read',
  ],
  viewer: ['projects:read', 'api-keys:read', 'members:read', 'settings:read', 'usage:read'],
  auditor: [
    'audit:read',
    'audit:export',
    'projects:read',
    'api-keys:read',
    'members:read',
    'settings:read',
    'usage:read',
  ],
} as const satisfies Record<string, readonly string[]>

export type BuiltInRole = keyof typeof builtInRoles

export function isBuiltInRole(name: string): name is BuiltInRole {
  return Object.hasOwn(builtInRoles, name)
}

/**
 * Whether a set of permissions covers the one that is asked for.
 * @param granted permissions of a role: `resource:verb`, `resource:*` or, for the owner alone, `*:*`
 * @param asked one `resource:verb`
 */
export function permits(granted: readonly string[], asked: string): boolean {
  const resource = asked.slice(0, asked.lastIndexOf(':'))
  return granted.some(
    (permission) => permission === asked || permission === '*:*' || permission === `${resource}:*`,
  )
}
