import type { KubeObject, ResourceKind } from './object.ts'
import type { SecretObject } from './secret.ts'

/**
 * What a cache keeps of an object, and how much it asks for at once. Whoever may write in one
 * namespace decides how fat the objects in it are: annotations to 256 KiB, labels and owner
 * references without a bound but etcd's 1.5 MiB, Secrets to 1 MiB. Kept whole, a hundred of them
 * would take the memory of the operator, and with it every other tenant's.
 */

/** Of the annotations of our own group so many, each so long. */
const MOST_ANNOTATIONS = 16
const LONGEST_ANNOTATION = 253

/** Characters of a Secret. An envelope of 64 KiB is 87,384 in base64; the rest is for its labels. */
const HEAVIEST_SECRET = 100_000
/** What an entry costs beside its characters: a Secret may have a hundred thousand empty ones. */
const ENTRY = 64

/** Objects a page of a list: a page is held in memory as text and as objects. */
export function pageSizeOf(kind: ResourceKind): number {
  return isSecret(kind) ? 25 : 100
}

/**
 * The object without what no reader of the cache needs. Of a custom resource: annotations of other
 * groups, labels, owner references. A Secret of ours stays whole but for annotations and finalizers;
 * a heavier one keeps only who controls it, and is marked. Of a kind whose metadata alone is watched, and of which there may
 * be very many, what tells one version from another.
 */
export function retained<T extends KubeObject>(object: T, kind: ResourceKind): T {
  if (kind.metadataOnly) return identityOf(object) as T
  return isSecret(kind)
    ? (retainedSecret(object) as KubeObject as T)
    : retainedResource(object, kind.group)
}

/** Enough to tell that it is there, that it changed, and that it is another one. */
function identityOf({ apiVersion, kind, metadata }: KubeObject): KubeObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = metadata
  return {
    apiVersion,
    kind,
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
  }
}

function isSecret(kind: ResourceKind): boolean {
  return kind.group === '' && kind.kind === 'Secret'
}

function retainedResource<T extends KubeObject>(object: T, group: string): T {
  const { labels: _l, ownerReferences: _o, annotations, ...metadata } = object.metadata
  const ours = Object.entries(annotations ?? {}).filter(([name]) => name.startsWith(`${group}/`))
  if (ours.length === 0) return { ...object, metadata }
  const kept = ours.slice(0, MOST_ANNOTATIONS).map(([name, value]) => [name, start(value)])
  return { ...object, metadata: { ...metadata, annotations: Object.fromEntries(kept) } }
}

/** The start of a text, as a copy: a slice would keep all of it in memory. */
function start(text: string): string {
  if (text.length <= LONGEST_ANNOTATION) return text
  return Buffer.from(text.slice(0, LONGEST_ANNOTATION), 'utf16le').toString('utf16le')
}

function retainedSecret(secret: SecretObject): SecretObject {
  const { apiVersion, kind, type, data, immutable } = secret
  const { labels, ownerReferences, annotations: _a, finalizers: _f, ...metadata } = secret.metadata
  const weight = weightOf([type, data, labels, ownerReferences])
  if (secret.oversized || weight > HEAVIEST_SECRET) {
    const controller = ownerReferences?.filter((owner) => owner.controller)
    const stub = { ...metadata, ...(controller && { ownerReferences: controller }) }
    return { apiVersion, kind, metadata: stub, oversized: true }
  }
  return {
    apiVersion,
    kind,
    metadata: {
      ...metadata,
      ...(labels && { labels }),
      ...(ownerReferences && { ownerReferences }),
    },
    ...(type !== undefined && { type }),
    ...(data && { data }),
    ...(immutable !== undefined && { immutable }),
  }
}

/** The characters of all keys and strings in a value, and what its entries cost. */
function weightOf(value: unknown): number {
  if (typeof value === 'string') return value.length
  if (typeof value !== 'object' || value === null) return 0
  let sum = 0
  for (const [key, item] of Object.entries(value)) sum += ENTRY + key.length + weightOf(item)
  return sum
}
