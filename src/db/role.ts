import { recordStore } from './record.ts'
import { roles } from './tables/role.ts'

export type RoleRow = typeof roles.$inferSelect
export const roleStore = recordStore<RoleRow>(roles)
