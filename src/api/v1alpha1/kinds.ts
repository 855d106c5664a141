import { apiKeyKind } from './apikey.ts'
import { encryptionKeyKind } from './encryptionkey.ts'
import { organizationKind } from './organization.ts'
import { projectKind } from './project.ts'
import { providerCredentialKind } from './providercredential.ts'
import { rbacBindingKind } from './rbacbinding.ts'
import { rbacRoleKind } from './rbacrole.ts'
import type { KindDefinition } from './resource.ts'

/** Every kind, parents before children. */
export const kinds: readonly KindDefinition[] = [
  encryptionKeyKind,
  organizationKind,
  projectKind,
  rbacRoleKind,
  apiKeyKind,
  rbacBindingKind,
  providerCredentialKind,
]
