import { projectKind } from '../../../src/api/v1alpha1/project.ts'
import { filled, type KindSpecs } from './spec.ts'

export const projectSpecs: KindSpecs = {
  kind: projectKind,
  valid: { organizationRef: { name: 'acme' }, displayName: 'Scanner' },
  accepted: [
    { name: 'the example of the design', change: {} },
    {
      name: 'overrides',
      change: {
        overrides: {
          dataHandling: { storeClientAddresses: true },
          providerCredentials: { mode: 'BringYourOwn' },
          quotas: { apiKeys: 5 },
        },
      },
    },
    {
      name: 'everything at its greatest',
      metadataName: filled(63),
      change: {
        organizationRef: { name: filled(63) },
        displayName: '🔬'.repeat(120),
        description: '🔬'.repeat(500),
      },
    },
  ],
  refused: [
    {
      name: 'a name with a dot',
      metadataName: 'web.v2',
      change: {},
      field: 'metadata.name',
      says: 'without dots',
    },
    {
      name: 'no displayName',
      change: { displayName: undefined },
      field: 'spec.displayName',
      says: 'Required value',
    },
    {
      name: 'a displayName with a tab',
      change: { displayName: 'a\tb' },
      field: 'spec.displayName',
      says: 'control characters',
    },
    {
      name: 'an empty organizationRef',
      change: { organizationRef: {} },
      field: 'spec.organizationRef.name',
      says: 'Required value',
    },
    {
      name: 'an organization of another namespace',
      change: { organizationRef: { name: 'other/acme' } },
      field: 'spec.organizationRef.name',
      says: 'for example acme',
    },
    {
      name: 'a description with a character that PostgreSQL cannot keep',
      change: { description: 'a\u0000b' },
      field: 'spec.description',
      says: 'leave them out',
    },
    {
      name: 'a quota beyond a million',
      change: { overrides: { quotas: { apiKeys: 1_000_001 } } },
      field: 'spec.overrides.quotas.apiKeys',
      says: 'less than or equal to 1',
    },
    {
      name: 'a quota that a project does not have',
      change: { overrides: { quotas: { users: 1 } } },
      field: '',
      says: 'unknown field "spec.overrides.quotas.users"',
    },
  ],
  refusedChanges: [
    {
      name: 'another organization',
      from: {},
      to: { organizationRef: { name: 'other' } },
      field: 'spec.organizationRef',
      says: 'create it anew for the other organization',
    },
  ],
}
