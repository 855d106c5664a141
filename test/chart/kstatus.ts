import type { CustomResource } from '../../src/k8s/object.ts'

export type KStatus = 'Terminating' | 'InProgress' | 'Failed' | 'Current'

/**
 * What kstatus makes of a custom resource, by the rules that sigs.k8s.io/cli-utils/pkg/kstatus documents: deletion, then
 * the generation, then Reconciling and Stalled in the order in which they are listed, then Ready. Without any of them a
 * resource is Current.
 */
export function kstatus(resource: CustomResource): KStatus {
  const { metadata, status } = resource
  if (metadata.deletionTimestamp) return 'Terminating'
  if (
    metadata.generation !== undefined &&
    status?.observedGeneration !== undefined &&
    status.observedGeneration !== metadata.generation
  ) {
    return 'InProgress'
  }
  const conditions = status?.conditions ?? []
  for (const { type, status: value } of conditions) {
    if (type === 'Reconciling' && value === 'True') return 'InProgress'
    if (type === 'Stalled' && value === 'True') return 'Failed'
  }
  const ready = conditions.find(({ type }) => type === 'Ready')
  return ready === undefined || ready.status === 'True' ? 'Current' : 'InProgress'
}
