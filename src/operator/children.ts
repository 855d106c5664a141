import type { CustomResource } from '../k8s/object.ts'
import { type ReconcileContext, type Waiting, waiting } from '../k8s/reconciler.ts'

const named = 10

/**
 * While other resources refer to this one, its deletion waits and says for whom.
 * @param remedy what to do with them
 */
export function blockedBy<Status extends object>(
  object: CustomResource,
  context: ReconcileContext,
  remedy = 'delete them',
): Waiting<Status> | undefined {
  const children = context.referrers()
  if (children.length === 0) return undefined
  const names = children.slice(0, named).map((key) => key.replace(/^([^/]+)\/[^/]+\//, '$1 '))
  const more = children.length > named ? ` and ${children.length - named} more` : ''
  const message = `${object.kind} "${object.metadata.name}" is still referred to by ${names.join(', ')}${more}: ${remedy}, and this deletion goes on by itself.`
  return waiting('DeletionBlocked', message, {
    conditions: [{ type: 'DeletionBlocked', status: 'True', reason: 'HasChildren', message }],
  })
}
