import type { ProviderCredential } from '../../api/v1alpha1/providercredential.ts'
import { type ProviderCredentialRow, providerCredentialStore } from '../../db/providercredential.ts'
import type { Concept } from '../declare.ts'

export const providerCredentialConcept: Concept<ProviderCredentialRow> = {
  name: 'provider_credential',
  store: providerCredentialStore,
}

/** The row's values that the spec rules. */
export function providerCredentialValues(
  { spec }: ProviderCredential,
  projectId: string | undefined,
): Partial<ProviderCredentialRow> {
  return { projectId: projectId ?? null, provider: spec.provider }
}
