import { apiKeySpecs } from './apikey.ts'
import { organizationSpecs } from './organization.ts'
import { projectSpecs } from './project.ts'
import { rbacBindingSpecs } from './rbacbinding.ts'
import { rbacRoleSpecs } from './rbacrole.ts'
import type { KindSpecs } from './spec.ts'

export const allSpecs: readonly KindSpecs[] = [
  organizationSpecs,
  projectSpecs,
  apiKeySpecs,
  rbacBindingSpecs,
  rbacRoleSpecs,
]
