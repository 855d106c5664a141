import { providerCredentialKind } from '../../../src/api/v1alpha1/providercredential.ts'
import { filled, type KindSpecs } from './spec.ts'

const valueFrom = { secretRef: { name: 'openai-key', key: 'token' } }

export const providerCredentialSpecs: KindSpecs = {
  kind: providerCredentialKind,
  valid: { organizationRef: { name: 'acme' }, provider: 'openai', valueFrom },
  accepted: [
    { name: 'the example of the design', change: {} },
    {
      name: 'one of a project',
      change: { projectRef: { name: 'scanner' }, deletionPolicy: 'Delete' },
    },
    {
      name: 'everything at its greatest',
      metadataName: filled(253, '', '').replaceAll(/a{50}/g, (run) => `${run.slice(1)}.`),
      change: {
        provider: filled(63),
        valueFrom: { secretRef: { name: 'a.b-c', key: filled(253, '.', '_') } },
      },
    },
  ],
  refused: [
    {
      name: 'no provider',
      change: { provider: undefined },
      field: 'spec.provider',
      says: 'Required value',
    },
    {
      name: 'a provider in capitals',
      change: { provider: 'OpenAI' },
      field: 'spec.provider',
      says: 'for example openai',
    },
    {
      name: 'a value in the resource itself',
      change: { value: 'sk-1' },
      field: '',
      says: 'unknown field "spec.value"',
    },
    {
      name: 'no source',
      change: { valueFrom: {} },
      field: 'spec.valueFrom.secretRef',
      says: 'Required value',
    },
    {
      name: 'a Secret of another namespace',
      change: { valueFrom: { secretRef: { name: 'other/openai-key', key: 'token' } } },
      field: 'spec.valueFrom.secretRef.name',
      says: 'in this namespace',
    },
    {
      name: 'an entry that no Secret can have',
      change: { valueFrom: { secretRef: { name: 'openai-key', key: 'a b' } } },
      field: 'spec.valueFrom.secretRef.key',
      says: 'for example token',
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
    {
      name: 'another project',
      from: { projectRef: { name: 'scanner' } },
      to: { projectRef: { name: 'billing' } },
      field: 'spec.projectRef',
      says: 'create it anew for the other project',
    },
    {
      name: 'no project any more',
      from: { projectRef: { name: 'scanner' } },
      to: { projectRef: undefined },
      field: 'spec.projectRef',
      says: 'create it anew for the other project',
    },
  ],
}
