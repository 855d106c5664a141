import { z } from 'zod'
import { lifecycle } from './lifecycle.ts'
import { setOf } from './list.ts'
import { labelPattern } from './name.ts'
import { organizationRef } from './reference.ts'
import { defineKind, type Resource } from './resource.ts'
import { celString } from './rule.ts'
import { commonStatus } from './status.ts'
import { matching, paragraph } from './text.ts'

/** The roles that every organization has; an RBACRole cannot have the name of one. */
export const builtInRoleNames = ['owner', 'admin', 'developer', 'viewer', 'auditor'] as const

const permission = matching(
  'permission',
  128,
  /^[a-z][a-z0-9-]*(\/[a-z][a-z0-9-]*)*:([*]|[a-z][a-z-]*)$/,
  'permissions must hold resource:verb in lower case, where the verb may be *, for example scans:read or scans/results:*',
)

const rbacRoleSpec = z.strictObject({
  organizationRef: organizationRef(),
  description: paragraph('description', 500)
    .describe('What the role is for. Default: none.')
    .optional(),
  permissions: setOf(permission, { min: 1, max: 200 }).describe(
    'What the role permits, as resource:verb, 1 to 200. A resource is a word or a path; the verb * is every verb. Example: [scans:read, scans/results:*].',
  ),
  ...lifecycle,
})
type RBACRoleSpec = z.infer<typeof rbacRoleSpec>

const rbacRoleStatus = z.object(commonStatus)
export type RBACRoleStatus = z.infer<typeof rbacRoleStatus>
export type RBACRole = Resource<'RBACRole', RBACRoleSpec, RBACRoleStatus>

export const rbacRoleKind = defineKind({
  kind: 'RBACRole',
  plural: 'rbacroles',
  // kubectl takes `role` alone for the RBAC Role of Kubernetes, so what pages name comes first.
  shortNames: ['rrole', 'role'],
  description:
    'An RBACRole is a role of one organization beside the built-in ones: a set of permissions, which RBACBindings give to users, groups and API keys by its metadata.name.',
  spec: rbacRoleSpec,
  status: rbacRoleStatus,
  nameRules: [
    {
      cel: `self.metadata.name.matches(${celString(labelPattern.source)})`,
      message:
        'metadata.name of an RBACRole must be at most 63 lower-case letters, digits and inner hyphens, without dots, for example scan-reader',
      holds: (name) => labelPattern.test(name),
    },
    {
      cel: `!(self.metadata.name in ${JSON.stringify(builtInRoleNames)})`,
      message:
        'metadata.name of an RBACRole must not be that of a built-in role (owner, admin, developer, viewer, auditor): choose another name',
      holds: (name) => !builtInRoleNames.some((builtIn) => builtIn === name),
    },
  ],
  reasons: ['OrganizationNotFound', 'OrganizationNotReady', 'DeletionBlocked', 'HasChildren'],
  columns: [
    {
      name: 'Organization',
      type: 'string',
      jsonPath: '.spec.organizationRef.name',
      description: 'The organization that it belongs to.',
    },
  ],
})
