import { recordStore } from './record.ts'
import { projects } from './tables/project.ts'

export type ProjectRow = typeof projects.$inferSelect
export const projectStore = recordStore<ProjectRow>(projects)
