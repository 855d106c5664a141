/** The API group and version of every kind here, and the names that Cardea puts on objects. */
export const group = 'cardea.dev'
export const version = 'v1alpha1'
export const apiVersion = `${group}/${version}` as const

/** `kubectl get cardea` lists every kind of the group. */
export const category = 'cardea'

/** Its value is answered in `status.lastHandledReconcileAt`; a new value asks for one reconcile now. */
export const reconcileRequestedAt = `${group}/reconcile-requested-at` as const

/** APIKey only. Its value is answered in `status.lastHandledRotateAt`; a new value asks for one rotation now. */
export const rotateRequestedAt = `${group}/rotate-requested-at` as const

/** The finalizer that holds an object of this kind until its record has been dealt with. */
export function finalizerOf(kind: { readonly kind: string }): string {
  return `${group}/${kind.kind.toLowerCase()}`
}
