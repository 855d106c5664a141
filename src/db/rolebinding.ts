import { recordStore } from './record.ts'
import { roleBindings } from './tables/rolebinding.ts'

export type RoleBindingRow = typeof roleBindings.$inferSelect
export const roleBindingStore = recordStore<RoleBindingRow>(roleBindings)
