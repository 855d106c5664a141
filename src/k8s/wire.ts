import { TransportError } from './errors.ts'
import { apiVersionOf, type KubeObject, type ResourceKind } from './object.ts'

/** The path of a kind, of one namespace's objects of it, of one object, or of its subresource. */
export function pathOf(
  kind: ResourceKind,
  namespace?: string,
  name?: string,
  subresource?: string,
): string {
  const root = kind.group === '' ? 'api' : 'apis'
  const parts = [root, ...apiVersionOf(kind).split('/')]
  if (kind.namespaced && namespace !== undefined) parts.push('namespaces', segment(namespace))
  parts.push(kind.plural)
  if (name !== undefined) parts.push(segment(name))
  if (subresource !== undefined) parts.push(subresource)
  return `/${parts.join('/')}`
}

/** A name comes from people's specs: `..` in it must not walk to another kind's path. */
function segment(name: string): string {
  if (!/^[A-Za-z0-9]([-A-Za-z0-9._:]*[A-Za-z0-9])?$/.test(name)) {
    throw new RangeError('a name is not one that Kubernetes allows')
  }
  return encodeURIComponent(name)
}

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration'

/**
 * An object as the rest of the program sees it: with its kind, which lists leave out, with a
 * namespace always, and without managedFields and the last-applied annotation, which are most of its
 * bytes and nobody's business here.
 * @throws TransportError for what is not an object.
 */
export function decode(raw: unknown, kind: ResourceKind): KubeObject {
  const object = raw as KubeObject & { metadata: { managedFields?: unknown } }
  if (!object?.metadata?.name) throw new TransportError(`read ${kind.plural}`, 'EBADMSG')
  const { managedFields: _m, annotations: all, ...metadata } = object.metadata
  const { [LAST_APPLIED]: _l, ...annotations } = all ?? {}
  return {
    ...object,
    apiVersion: apiVersionOf(kind),
    kind: kind.kind,
    metadata: {
      ...metadata,
      namespace: metadata.namespace ?? '',
      ...(Object.keys(annotations).length > 0 && { annotations }),
    },
  }
}
