import type { ReconcileContext } from '../k8s/reconciler.ts'

/** Milliseconds. */
const interval = 30_000

/**
 * When to look again though nothing is to be heard of: the stall, or the wait, ends by something that the operator does
 * not watch, such as another namespace's record, a Secret without its label, or a KMS.
 * @param again milliseconds, where it is known that it is not worth while sooner, nor later
 */
export function unwatched(
  context: Pick<ReconcileContext, 'now'>,
  again = interval,
): { readonly requeueAt: Date } {
  return { requeueAt: new Date(context.now().getTime() + again) }
}
