import type { KubeConfig } from '@kubernetes/client-node'
import { type Clock, type Random, systemClock } from './clock.ts'
import { Connection } from './connection.ts'
import { isAbsence, isNotFound, TransportError } from './errors.ts'
import type { KubeObject, Manifest, ResourceKind } from './object.ts'
import { type Call, type CallLimits, Transport } from './transport.ts'
import { readEvents, type WatchEvent } from './watchstream.ts'
import { decode, pathOf } from './wire.ts'

export interface ClientOptions {
  readonly clock?: Clock
  readonly random?: Random
  readonly userAgent?: string
  readonly connections?: number
  /** Told of every answer, for metrics; status 0 is no answer. */
  readonly onAnswer?: (verb: string, status: number) => void
}

/** Which objects of a kind: a namespace, or all; and a label selector. */
export interface Selection {
  readonly namespace?: string | undefined
  readonly labelSelector?: string | undefined
}

export interface ObjectList<T> {
  readonly items: readonly T[]
  readonly resourceVersion: string
  /** Where the next page begins; undefined on the last. */
  readonly continue: string | undefined
}

export interface WriteOptions extends CallLimits {
  readonly fieldManager: string
  readonly subresource?: 'status' | undefined
}

/** Refuses a delete when the object is another one, or was changed. */
export interface Preconditions {
  readonly uid?: string
  readonly resourceVersion?: string
}

const PATCH_TYPES = {
  apply: 'application/apply-patch+yaml',
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
} as const

/**
 * A client for any kind. Objects come without managedFields and the last-applied annotation, which
 * are most of an object's bytes and nobody's business here, and with `namespace` always set.
 *
 * Every method throws ApiError or TransportError, or the reason of an aborted signal.
 */
export class KubeClient {
  /** Write requests that were sent, by `verb plural`, with all clients that share the connection. */
  readonly writes: Map<string, number>
  readonly #connection: Connection
  readonly #transport: Transport
  readonly #guard: () => void

  private constructor(shared: Shared, guard: () => void) {
    this.#connection = shared.connection
    this.#transport = shared.transport
    this.writes = shared.writes
    this.#guard = guard
  }

  /** A client for the current context of a KubeConfig, which brings server, CA and credentials. */
  static fromKubeConfig(kubeConfig: KubeConfig, options: ClientOptions = {}): KubeClient {
    const { clock = systemClock, random = Math.random, connections = 32 } = options
    const connection = new Connection(kubeConfig, { clock, connections })
    const transport = new Transport(connection, {
      clock,
      random,
      userAgent: options.userAgent ?? 'cardea',
      onAnswer: (call, status) => options.onAnswer?.(call.verb, status),
    })
    return new KubeClient({ connection, transport, writes: new Map() }, () => {})
  }

  /** The same client, but each write first calls `guard`, which throws when it must not be made. */
  guarded(guard: () => void): KubeClient {
    return new KubeClient(
      { connection: this.#connection, transport: this.#transport, writes: this.writes },
      guard,
    )
  }

  /** The sum of `writes`. */
  get writeCount(): number {
    let sum = 0
    for (const count of this.writes.values()) sum += count
    return sum
  }

  /**
   * The object, or undefined when the server says of this very object that there is none. That the
   * kind is not served, or that a proxy knows no such page, is an answer 404 too, and is thrown.
   */
  async get<T extends KubeObject>(
    kind: ResourceKind,
    namespace: string,
    name: string,
    limits?: CallLimits,
  ): Promise<T | undefined> {
    try {
      const path = pathOf(kind, namespace, name)
      return decode(await this.#read('get', kind, path, {}, limits), kind) as T
    } catch (error) {
      if (isAbsence(error, kind, name)) return undefined
      throw error
    }
  }

  /** One page of a consistent list; ask with `continue` for the next. */
  async list<T extends KubeObject>(
    kind: ResourceKind,
    selection: Selection & { readonly limit?: number; readonly continue?: string | undefined } = {},
    limits?: CallLimits,
  ): Promise<ObjectList<T>> {
    const query = {
      labelSelector: selection.labelSelector,
      limit: selection.limit === undefined ? undefined : String(selection.limit),
      continue: selection.continue,
    }
    const path = pathOf(kind, selection.namespace)
    const accept = acceptedFrom(kind, 'PartialObjectMetadataList')
    const answer = (await this.#read('list', kind, path, query, limits, accept)) as RawList
    const resourceVersion = answer?.metadata?.resourceVersion
    // Anything else than a whole list must not be taken for "there are none".
    const items = itemsOf(answer)
    if (!items || !resourceVersion) throw new TransportError(`list ${kind.plural}`, 'EBADMSG')
    return {
      items: items.map((item) => decode(item, kind) as T),
      resourceVersion,
      continue: answer.metadata?.continue || undefined,
    }
  }

  /** The events after a resource version, bookmarks included, until the server ends the watch. */
  async watch<T extends KubeObject>(
    kind: ResourceKind,
    selection: Selection & { readonly resourceVersion: string; readonly timeoutSeconds: number },
    signal: AbortSignal,
  ): Promise<AsyncIterable<WatchEvent<T>>> {
    const body = await this.#transport.open({
      verb: 'watch',
      subject: kind.plural,
      method: 'GET',
      path: pathOf(kind, selection.namespace),
      query: {
        watch: 'true',
        allowWatchBookmarks: 'true',
        labelSelector: selection.labelSelector,
        resourceVersion: selection.resourceVersion,
        timeoutSeconds: String(selection.timeoutSeconds),
      },
      idempotent: true,
      accept: acceptedFrom(kind, 'PartialObjectMetadata'),
      limits: { signal },
    })
    return readEvents(body, (object) => decode(object, kind) as T, `watch ${kind.plural}`)
  }

  /** Makes the object; ApiError 409 AlreadyExists when there is one of that name. */
  async create<T extends KubeObject>(
    kind: ResourceKind,
    manifest: Manifest,
    options: WriteOptions,
  ): Promise<T> {
    const path = pathOf(kind, manifest.metadata.namespace)
    const call = { method: 'POST', path, body: manifest, idempotent: false } as const
    return decode(
      await this.#write('create', kind, manifest.metadata.name, call, options),
      kind,
    ) as T
  }

  /** Replaces the whole object; with a resourceVersion in it, only if nobody changed it. */
  async replace<T extends KubeObject>(
    kind: ResourceKind,
    manifest: Manifest,
    options: WriteOptions,
  ): Promise<T> {
    const { namespace, name } = manifest.metadata
    const path = pathOf(kind, namespace, name, options.subresource)
    const call = { method: 'PUT', path, body: manifest, idempotent: true } as const
    return decode(await this.#write('replace', kind, name, call, options), kind) as T
  }

  /**
   * Server-side apply. With a `resourceVersion` in the manifest it is refused with a conflict when
   * the object was changed or is another one. (A `uid` is not looked at for a status.)
   */
  async apply<T extends KubeObject>(
    kind: ResourceKind,
    manifest: Manifest,
    options: WriteOptions & { readonly force?: boolean },
  ): Promise<T> {
    const { namespace, name } = manifest.metadata
    const path = pathOf(kind, namespace, name, options.subresource)
    const query = { force: String(options.force ?? true) }
    const contentType = PATCH_TYPES.apply
    const call = { method: 'PATCH', path, query, body: manifest, contentType } as const
    const answer = await this.#write('apply', kind, name, { ...call, idempotent: true }, options)
    return decode(answer, kind) as T
  }

  /** A merge patch, or with an array a JSON patch. Guard it with metadata.uid and resourceVersion. */
  async patch<T extends KubeObject>(
    kind: ResourceKind,
    namespace: string,
    name: string,
    patch: object | readonly object[],
    options: WriteOptions,
  ): Promise<T> {
    const json = Array.isArray(patch)
    const path = pathOf(kind, namespace, name, options.subresource)
    // A JSON patch may append, which is not the same twice.
    const contentType = json ? PATCH_TYPES.json : PATCH_TYPES.merge
    const call = { method: 'PATCH', path, body: patch, contentType, idempotent: !json } as const
    return decode(await this.#write('patch', kind, name, call, options), kind) as T
  }

  /** Asks for the object's deletion; `absent` when there is none. */
  async delete(
    kind: ResourceKind,
    namespace: string,
    name: string,
    preconditions: Preconditions = {},
    limits?: CallLimits,
  ): Promise<'deleted' | 'absent'> {
    const body = { preconditions, propagationPolicy: 'Background' }
    const path = pathOf(kind, namespace, name)
    const call = { method: 'DELETE', path, body, idempotent: true } as const
    try {
      await this.#write('delete', kind, name, call, limits ?? {})
      return 'deleted'
    } catch (error) {
      if (isNotFound(error)) return 'absent'
      throw error
    }
  }

  /** Cuts every connection, of all clients that share it. */
  close(): Promise<void> {
    return this.#connection.close()
  }

  #read(
    verb: string,
    kind: ResourceKind,
    path: string,
    query: Call['query'],
    limits: CallLimits | undefined,
    accept?: string,
  ): Promise<unknown> {
    const subject = kind.plural
    return this.#transport.send({
      verb,
      subject,
      method: 'GET',
      path,
      query,
      idempotent: true,
      accept,
      limits,
    })
  }

  #write(
    verb: string,
    kind: ResourceKind,
    name: string,
    call: Pick<Call, 'method' | 'path' | 'query' | 'body' | 'contentType' | 'idempotent'>,
    options: CallLimits & { readonly fieldManager?: string },
  ): Promise<unknown> {
    const guard = this.#guard
    guard()
    const subject = `${kind.plural} ${name}`
    const counted = `${verb} ${kind.plural}`
    this.writes.set(counted, (this.writes.get(counted) ?? 0) + 1)
    const query = { ...call.query, fieldManager: options.fieldManager }
    return this.#transport.send({ ...call, verb, subject, query, guard, limits: options })
  }
}

/** What a list or a watch of the kind is asked for. */
function acceptedFrom(kind: ResourceKind, as: string): string | undefined {
  return kind.metadataOnly && `application/json;as=${as};g=meta.k8s.io;v=v1`
}

interface Shared {
  readonly connection: Connection
  readonly transport: Transport
  readonly writes: Map<string, number>
}

/** The items of a list; a list of metadata that has none says `null`. */
function itemsOf(answer: RawList | undefined): readonly unknown[] | undefined {
  if (Array.isArray(answer?.items)) return answer.items
  const none = answer?.kind === 'PartialObjectMetadataList' && answer.items === null
  return none ? [] : undefined
}

interface RawList {
  readonly kind?: string
  readonly items?: readonly unknown[] | null
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string }
}
