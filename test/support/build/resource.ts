import { apiVersion } from '../../../src/api/v1alpha1/group.ts'

/** A manifest of one of Cardea's kinds. */
export interface BuiltResource {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace: string } & Record<string, unknown>
  readonly spec: Record<string, unknown>
}

type Part = Record<string, unknown>

function aResource(kind: string, defaults: Part) {
  return (
    namespace: string,
    name: string,
    spec: Part = {},
    metadata: Part = {},
  ): BuiltResource => ({
    apiVersion,
    kind,
    metadata: { name, namespace, ...metadata },
    spec: { ...defaults, ...spec },
  })
}

const organizationRef = { name: 'acme' }

/** An Organization; `name` must be one that no other test in the database has. */
export const anOrganization = aResource('Organization', { displayName: 'Acme Inc.' })
/** An EncryptionKey; `local` unless the spec chooses another provider. */
export const anEncryptionKey = (namespace: string, name: string, spec: Part = {}): BuiltResource =>
  aResource('EncryptionKey', {
    ...(!['aws', 'gcp', 'azure', 'vault'].some((provider) => provider in spec) && { local: {} }),
  })(namespace, name, spec)
export const aProject = aResource('Project', { organizationRef, displayName: 'Scanner' })
export const anAPIKey = (
  namespace: string,
  name: string,
  spec: Part = {},
  metadata: Part = {},
): BuiltResource =>
  aResource('APIKey', {
    organizationRef,
    scopes: ['scans:read'],
    ...(spec['digest'] === undefined && { secretRef: { name: `${name}-secret` } }),
  })(namespace, name, spec, metadata)
export const anRBACRole = aResource('RBACRole', { organizationRef, permissions: ['scans:read'] })
export const anRBACBinding = aResource('RBACBinding', {
  organizationRef,
  role: 'developer',
  subjects: [{ kind: 'User', name: 'lead@acme.example' }],
})
export const aProviderCredential = aResource('ProviderCredential', {
  organizationRef,
  provider: 'openai',
  valueFrom: { secretRef: { name: 'openai-key', key: 'token' } },
})
