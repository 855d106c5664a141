import type { ReconcileContext } from '../k8s/reconciler.ts'

/** Milliseconds. */
const interval = 30_000

/**
 * When to look again though nothing is to be heard of: the stall, or the wait, ends by something that the operator does
 * not watch, such as another namespace's record, a Secret without its label, or a KMS.
 */
export function unwatched(context: Pick<ReconcileContext, 'now'>): { readonly requeueAt: Date } {
  return { requeueAt: new Date(context.now().getTime() + interval) }
}
