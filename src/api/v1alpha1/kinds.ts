import { apiKeyKind } from './apikey.ts'
import { organizationKind } from './organization.ts'
import { projectKind } from './project.ts'
import { rbacBindingKind } from './rbacbinding.ts'
import { rbacRoleKind } from './rbacrole.ts'
import type { KindDefinition } from './resource.ts'

/** Every kind, parents before children. */
export const kinds: readonly KindDefinition[] = [
  organizationKind,
  projectKind,
  rbacRoleKind,
  apiKeyKind,
  rbacBindingKind,
]
