import { z } from 'zod'
import { lifecycle } from './lifecycle.ts'
import { mapOf } from './list.ts'
import {
  dnsLabel,
  emailMaxLength,
  emailSource,
  isEmail,
  isObjectName,
  objectNameSource,
} from './name.ts'
import { organizationRef, projectRef } from './reference.ts'
import { defineKind, type Resource } from './resource.ts'
import { celString, withRules } from './rule.ts'
import { commonStatus } from './status.ts'
import { line } from './text.ts'

const subjectKinds = ['User', 'Group', 'APIKey'] as const

const subject = withRules(
  z.strictObject({
    kind: z
      .enum(subjectKinds)
      .describe(
        'User: a person, by email address. Group: a group of the identity provider. APIKey: an APIKey of this organization in this namespace.',
      ),
    name: line('subjects.name', emailMaxLength).describe(
      'Who it is, at most 254 characters: an email address in lower case, the name of a group as the identity provider spells it, or the metadata.name of an APIKey.',
    ),
  }),
  {
    cel: `self.kind != 'User' || self.name.matches(${celString(emailSource)})`,
    message:
      'subjects.name of a User must be an email address in lower case, for example lead@acme.example',
    field: 'name',
    holds: ({ kind, name }) => kind !== 'User' || isEmail(name),
  },
  {
    cel: `self.kind != 'APIKey' || self.name.size() <= 253 && self.name.matches(${celString(objectNameSource)})`,
    message:
      'subjects.name of an APIKey must be the metadata.name of an APIKey in this namespace, for example ci',
    field: 'name',
    holds: ({ kind, name }) => kind !== 'APIKey' || isObjectName(name),
  },
)

const rbacBindingSpec = z.strictObject({
  organizationRef: organizationRef(),
  projectRef: projectRef()
    .describe(
      'The Project in this namespace that the role is given on. Example: {name: scanner}. Default: none, the role is given on the whole organization.',
    )
    .optional(),
  role: dnsLabel('role', 'developer').describe(
    'The role: owner, admin, developer, viewer or auditor, or the name of an RBACRole of the organization in this namespace. Example: developer.',
  ),
  subjects: mapOf(subject, ['kind', 'name'], { min: 1, max: 200 }).describe(
    'Who gets the role, 1 to 200. Example: [{kind: User, name: lead@acme.example}].',
  ),
  ...lifecycle,
})
type RBACBindingSpec = z.infer<typeof rbacBindingSpec>

const rbacBindingStatus = z.object(commonStatus)
export type RBACBindingStatus = z.infer<typeof rbacBindingStatus>
export type RBACBinding = Resource<'RBACBinding', RBACBindingSpec, RBACBindingStatus>

export const rbacBindingKind = defineKind({
  kind: 'RBACBinding',
  plural: 'rbacbindings',
  shortNames: ['rb'],
  description:
    'An RBACBinding gives a role to users, groups of the identity provider and API keys, on an Organization or on one Project of it.',
  spec: rbacBindingSpec,
  status: rbacBindingStatus,
  reasons: [
    'OrganizationNotFound',
    'OrganizationNotReady',
    'ProjectNotFound',
    'ProjectNotReady',
    'RoleNotFound',
    'SubjectNotFound',
  ],
  columns: [
    {
      name: 'Organization',
      type: 'string',
      jsonPath: '.spec.organizationRef.name',
      description: 'The organization that it belongs to.',
      priority: 1,
    },
    {
      name: 'Project',
      type: 'string',
      jsonPath: '.spec.projectRef.name',
      description: 'The project that the role is given on; empty: the whole organization.',
    },
    {
      name: 'Role',
      type: 'string',
      jsonPath: '.spec.role',
      description: 'The role that is given.',
    },
  ],
})
