import { group } from '../../api/v1alpha1/group.ts'
import type { Context } from '../../kms/keymanagement.ts'

/** The field of an APIKey that its envelope holds. */
const apiKeyField = 'apiKey'

/**
 * What the envelope of an API key is bound to, rebuilt from the live objects: copied to another Secret, namespace or
 * key it does not open.
 * @param id the stable id of the key's record
 */
export function apiKeyContext(namespace: string, secretName: string, id: string): Context {
  return { group, kind: 'APIKey', namespace, name: secretName, id, field: apiKeyField }
}
