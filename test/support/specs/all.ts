import { apiKeySpecs } from './apikey.ts'
import { encryptionKeySpecs } from './encryptionkey.ts'
import { organizationSpecs } from './organization.ts'
import { projectSpecs } from './project.ts'
import { providerCredentialSpecs } from './providercredential.ts'
import { rbacBindingSpecs } from './rbacbinding.ts'
import { rbacRoleSpecs } from './rbacrole.ts'
import type { KindSpecs } from './spec.ts'

export const allSpecs: readonly KindSpecs[] = [
  encryptionKeySpecs,
  organizationSpecs,
  projectSpecs,
  apiKeySpecs,
  rbacBindingSpecs,
  rbacRoleSpecs,
  providerCredentialSpecs,
]
