import { z } from 'zod'

/** What the record of a deleted resource comes to. */
const deletionPolicies = ['Retain', 'Delete'] as const
export type DeletionPolicy = (typeof deletionPolicies)[number]
export const defaultDeletionPolicy: DeletionPolicy = 'Retain'

/** Whether a resource may take over a record that it did not make. */
const adoptionPolicies = ['Never', 'IfUnowned'] as const

/** What every spec has. The defaults are the program's, not the CRD's, so that a GitOps diff stays empty. */
export const lifecycle = {
  suspend: z
    .boolean()
    .describe(
      'While true, the operator leaves this resource, its record and its Secret as they are. What is live stays live. Default: false.',
    )
    .optional(),
  adoptionPolicy: z
    .enum(adoptionPolicies)
    .describe(
      'What happens when a record of this name exists that this resource did not make. Never: the resource is Stalled with reason Conflict, which names the owner. IfUnowned: it takes over a record that no other resource owns. Default: Never.',
    )
    .optional(),
}

/** `spec.deletionPolicy`, where data hangs on the record. */
export function deletionPolicy(retained: string) {
  return {
    deletionPolicy: z
      .enum(deletionPolicies)
      .describe(
        `What the deletion of this resource does to its record. Retain: ${retained}, and the next resource of this namespace, kind and name takes it up again. Delete: the record and what belongs to it are deleted for good. Default: Retain.`,
      )
      .optional(),
  }
}
