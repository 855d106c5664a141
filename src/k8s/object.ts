/**
 * The shape of Kubernetes objects as the API server serves them, and the keys by which this runtime
 * names them. Everything is read-only: cached objects are shared between all who read the cache.
 */

export interface OwnerReference {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly uid: string
  readonly controller?: boolean | undefined
  readonly blockOwnerDeletion?: boolean | undefined
}

/** Metadata as served. `namespace` is the empty string for an object that has none. */
export interface ObjectMeta {
  readonly name: string
  readonly namespace: string
  readonly uid: string
  readonly resourceVersion: string
  /** Counts changes of the spec. Kinds without a spec (Secret, Lease) have none. */
  readonly generation?: number | undefined
  readonly creationTimestamp: string
  readonly deletionTimestamp?: string | undefined
  readonly finalizers?: readonly string[] | undefined
  readonly labels?: Readonly<Record<string, string>> | undefined
  readonly annotations?: Readonly<Record<string, string>> | undefined
  readonly ownerReferences?: readonly OwnerReference[] | undefined
}

export interface KubeObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: ObjectMeta
}

/** An object as one sends it: what the API server fills in may be left out. */
export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: Partial<ObjectMeta> & { readonly name: string }
  readonly [field: string]: unknown
}

/** metav1.Condition. */
export interface Condition {
  readonly type: string
  readonly status: 'True' | 'False' | 'Unknown'
  readonly observedGeneration?: number | undefined
  readonly lastTransitionTime: string
  readonly reason: string
  readonly message: string
}

/** What every kind's status has; the runtime writes it and reconcilers never do. */
export interface CommonStatus {
  readonly observedGeneration?: number | undefined
  readonly conditions?: readonly Condition[] | undefined
  readonly lastHandledReconcileAt?: string | undefined
}

/** An object of a kind that a reconciler can serve. */
export interface CustomResource extends KubeObject {
  readonly spec: { readonly suspend?: boolean | undefined }
  readonly status?: CommonStatus | undefined
}

/** Where the API server serves a kind. `group` is the empty string for the core group. */
export interface ResourceKind {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly plural: string
  readonly namespaced: boolean
  /** Lists and watches bring the metadata of the objects alone. */
  readonly metadataOnly?: true
}

/** `namespace/name`: how a queue and a store name an object of their one kind. */
export function objectKey(object: { readonly metadata: { namespace: string; name: string } }) {
  return `${object.metadata.namespace}/${object.metadata.name}`
}

/** `Kind/namespace/name`: how objects of all kinds are named in references. */
export function referenceKey(kind: string, namespace: string, name: string): string {
  return `${kind}/${namespace}/${name}`
}

/** `group/version`, or `version` alone for the core group. */
export function apiVersionOf(kind: ResourceKind): string {
  return kind.group === '' ? kind.version : `${kind.group}/${kind.version}`
}

/** The status of a condition, or undefined when the object does not have it. */
export function conditionOf(object: KubeObject, type: string): Condition | undefined {
  return (object as CustomResource).status?.conditions?.find((c) => c.type === type)
}

/** Whether the runtime is told to leave the object alone. */
export function isSuspended(object: KubeObject): boolean {
  return (object as CustomResource).spec?.suspend === true
}

/**
 * Whether the object is Ready *for the spec that it has now*. A Ready condition of an earlier
 * generation says nothing about this one.
 */
export function isReady(object: KubeObject): boolean {
  const ready = conditionOf(object, 'Ready')
  return (
    ready?.status === 'True' &&
    (object as CustomResource).status?.observedGeneration === object.metadata.generation &&
    object.metadata.deletionTimestamp === undefined
  )
}
