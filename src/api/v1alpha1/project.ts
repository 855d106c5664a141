import { z } from 'zod'
import { deletionPolicy, lifecycle } from './lifecycle.ts'
import { labelPattern } from './name.ts'
import { dataHandling, providerCredentials, quota } from './policy.ts'
import { organizationRef } from './reference.ts'
import { defineKind, type Resource } from './resource.ts'
import { celString } from './rule.ts'
import { commonStatus } from './status.ts'
import { line, paragraph } from './text.ts'

const overrides = z.strictObject({
  dataHandling: dataHandling()
    .describe(
      'What is stored about the requests that applications ask /check about. This version stores nothing of the sort even where it is asked for. A field that is left out is as in the Organization.',
    )
    .optional(),
  providerCredentials: providerCredentials()
    .describe(
      'How credentials of third-party providers are used. A field that is left out is as in the Organization.',
    )
    .optional(),
  quotas: z
    .strictObject({ apiKeys: quota('API keys of the project') })
    .describe('Limits of the project, beside those of the Organization.')
    .optional(),
})

const projectSpec = z.strictObject({
  organizationRef: organizationRef(),
  displayName: line('displayName', 120).describe(
    'The name of the project for people, 1 to 120 characters. Example: Scanner.',
  ),
  description: paragraph('description', 500)
    .describe('What the project is for. Default: none.')
    .optional(),
  overrides: overrides
    .describe('Settings of the Organization that this project replaces for itself.')
    .optional(),
  ...lifecycle,
  ...deletionPolicy('the record stays, disabled, and its API keys are refused'),
})
type ProjectSpec = z.infer<typeof projectSpec>

const projectStatus = z.object(commonStatus)
export type ProjectStatus = z.infer<typeof projectStatus>
export type Project = Resource<'Project', ProjectSpec, ProjectStatus>

export const projectKind = defineKind({
  kind: 'Project',
  plural: 'projects',
  shortNames: ['proj'],
  description:
    'A Project is a scope inside an Organization: API keys and role bindings may be confined to it, and it may have settings of its own.',
  spec: projectSpec,
  status: projectStatus,
  nameRules: [
    {
      cel: `self.metadata.name.matches(${celString(labelPattern.source)})`,
      message:
        'metadata.name of a Project must be at most 63 lower-case letters, digits and inner hyphens, without dots, for example scanner',
      holds: (name) => labelPattern.test(name),
    },
  ],
  reasons: [
    'OrganizationNotFound',
    'OrganizationNotReady',
    'QuotaExceeded',
    'DeletionBlocked',
    'HasChildren',
  ],
  columns: [
    {
      name: 'Organization',
      type: 'string',
      jsonPath: '.spec.organizationRef.name',
      description: 'The organization that it belongs to.',
    },
  ],
})
