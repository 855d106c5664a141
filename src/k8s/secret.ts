import type { KubeClient } from './client.ts'
import { ApiError, ConflictError } from './errors.ts'
import type { KubeObject, OwnerReference, ResourceKind } from './object.ts'
import type { ObjectStore } from './store.ts'

export const SECRETS: ResourceKind = {
  group: '',
  version: 'v1',
  kind: 'Secret',
  plural: 'secrets',
  namespaced: true,
}

/** That Secrets are there and change, without anything of what is in them. Its name in references is its own. */
export const SECRET_METADATA: ResourceKind = {
  ...SECRETS,
  kind: 'SecretMetadata',
  metadataOnly: true,
}

export interface SecretObject extends KubeObject {
  readonly type?: string
  /** Base64; `secretText` decodes. */
  readonly data?: Readonly<Record<string, string>> | undefined
  readonly immutable?: boolean
  /** It is cached without type, data and labels: heavier than any of ours, somebody stuffed it. */
  readonly oversized?: true
}

/** What a Secret is to be. */
export interface SecretContent {
  readonly name: string
  readonly type: string
  /** Beside the label that marks it as ours; others on it are left alone. */
  readonly labels: Readonly<Record<string, string>>
  /** All of its entries, as text. */
  readonly data: Readonly<Record<string, string>>
}

type SecretDifference = 'data' | 'type' | 'labels' | 'owner'

/** What `deliver` found and did. `foreign`: there is one that is somebody else's; it was not touched. */
export type Delivery =
  | { readonly result: 'created' | 'unchanged'; readonly secret: SecretObject }
  | {
      readonly result: 'repaired'
      readonly secret: SecretObject
      readonly differences: readonly SecretDifference[]
    }
  | { readonly result: 'foreign'; readonly secret: SecretObject }

export interface OwnedSecretsOptions {
  readonly client: Pick<KubeClient, 'get' | 'create' | 'patch' | 'delete'>
  /** The cache of the Secrets that have the label. */
  readonly store: Pick<ObjectStore<SecretObject>, 'creating' | 'get' | 'observe' | 'values'>
  /** The label that all our Secrets have, and by which they are watched. */
  readonly label: { readonly name: string; readonly value: string }
  readonly fieldManager: string
}

/** The Secrets that resources own: made, put right and taken away; nobody else's is ever touched. */
export class OwnedSecrets {
  readonly #options: OwnedSecretsOptions

  constructor(options: OwnedSecretsOptions) {
    this.#options = options
  }

  /**
   * The Secret, ours or not, or undefined when there is none. Only ours are cached, and the cache may
   * not have heard of one yet, so that there is none is asked of the API server; and so is the
   * content of one that is too fat for the cache.
   */
  async read(
    namespace: string,
    name: string,
    signal?: AbortSignal,
  ): Promise<SecretObject | undefined> {
    const { client, store } = this.#options
    const cached = store.get(`${namespace}/${name}`)
    if (cached !== undefined && !cached.oversized) return cached
    return client.get<SecretObject>(SECRETS, namespace, name, { signal })
  }

  /** The names of the owner's Secrets, as far as they are cached. Looks at all that are. */
  namesOf(owner: KubeObject): readonly string[] {
    const { namespace, name } = owner.metadata
    const names: string[] = []
    for (const secret of this.#options.store.values()) {
      if (secret.metadata.namespace !== namespace) continue
      const named = secret.metadata.ownerReferences?.some((o) => o.controller && o.name === name)
      if (named && this.ownershipOf(secret, owner) === 'ours') names.push(secret.metadata.name)
    }
    return names
  }

  /**
   * Makes the owner's Secret be what it should be. Writes nothing when it is.
   * @throws ApiError or TransportError; a conflict when somebody changed it meanwhile.
   */
  async deliver(
    owner: KubeObject,
    content: SecretContent,
    signal?: AbortSignal,
  ): Promise<Delivery> {
    const { store } = this.#options
    const { namespace } = owner.metadata
    const cached = store.get(`${namespace}/${content.name}`)
    const whole = cached?.oversized ? await this.read(namespace, content.name, signal) : cached
    if (whole !== undefined) return this.#repair(owner, content, whole, signal)
    try {
      return { result: 'created', secret: await this.#create(owner, content, signal) }
    } catch (error) {
      // Creating, and not applying, is what cannot overwrite a Secret that nobody told us of.
      if (!(error instanceof ApiError && error.reason === 'AlreadyExists')) throw error
      const there = await this.read(namespace, content.name, signal)
      if (there === undefined) throw new ConflictError('the Secret was deleted meanwhile')
      return this.#repair(owner, content, there, signal)
    }
  }

  /** Deletes the owner's Secret, and only if it is the owner's. */
  async withdraw(
    owner: KubeObject,
    name: string,
    signal?: AbortSignal,
  ): Promise<'deleted' | 'absent' | 'foreign'> {
    const secret = await this.read(owner.metadata.namespace, name, signal)
    if (secret === undefined) return 'absent'
    if (this.ownershipOf(secret, owner) === 'foreign') return 'foreign'
    const { uid, namespace } = secret.metadata
    return this.#options.client.delete(SECRETS, namespace, name, { uid }, { signal })
  }

  /**
   * A Secret is the owner's when its controller is an object of the owner's kind and name (the uid is
   * another after a restore), or when it has our label and no controller at all: somebody took the
   * reference away.
   */
  ownershipOf(secret: SecretObject, owner: KubeObject): 'ours' | 'foreign' {
    const { label } = this.#options
    const controller = secret.metadata.ownerReferences?.find((o) => o.controller)
    if (controller === undefined) {
      return secret.metadata.labels?.[label.name] === label.value ? 'ours' : 'foreign'
    }
    const sameGroup = groupOf(controller.apiVersion) === groupOf(owner.apiVersion)
    const same = controller.kind === owner.kind && controller.name === owner.metadata.name
    return sameGroup && same ? 'ours' : 'foreign'
  }

  async #repair(
    owner: KubeObject,
    content: SecretContent,
    current: SecretObject,
    signal: AbortSignal | undefined,
  ): Promise<Delivery> {
    if (this.ownershipOf(current, owner) === 'foreign') {
      return { result: 'foreign', secret: current }
    }
    const wanted = this.#wanted(owner, content)
    const differences = compare(current, wanted)
    if (differences.length === 0) return { result: 'unchanged', secret: current }
    const secret = await this.#replace(owner, content, wanted, current, signal)
    return { result: 'repaired', secret, differences }
  }

  async #replace(
    owner: KubeObject,
    content: SecretContent,
    wanted: Wanted,
    current: SecretObject,
    signal: AbortSignal | undefined,
  ): Promise<SecretObject> {
    const { client, store, fieldManager } = this.#options
    const { namespace, name, uid, resourceVersion } = current.metadata
    if (current.type !== wanted.type || current.immutable) {
      // Neither can be changed in place.
      const exactly = { uid, resourceVersion }
      await client.delete(SECRETS, namespace, name, exactly, { signal })
      return this.#create(owner, content, signal)
    }
    const unknown = Object.keys(current.data ?? {}).filter((key) => !(key in wanted.data))
    const others = (current.metadata.ownerReferences ?? []).filter((o) => !o.controller)
    const patch = {
      metadata: {
        uid,
        resourceVersion,
        labels: wanted.labels,
        ownerReferences: [...others, wanted.owner],
      },
      data: { ...Object.fromEntries(unknown.map((key) => [key, null])), ...wanted.data },
    }
    const options = { fieldManager, signal }
    const patched = await client.patch<SecretObject>(SECRETS, namespace, name, patch, options)
    store.observe(patched)
    return patched
  }

  async #create(
    owner: KubeObject,
    content: SecretContent,
    signal: AbortSignal | undefined,
  ): Promise<SecretObject> {
    const { client, store, fieldManager } = this.#options
    const { type, labels, data, owner: reference } = this.#wanted(owner, content)
    const { namespace } = owner.metadata
    const metadata = { namespace, name: content.name, labels, ownerReferences: [reference] }
    const manifest = { apiVersion: 'v1', kind: 'Secret', metadata, type, data }
    const made = await store.creating(`${namespace}/${content.name}`, () =>
      client.create<SecretObject>(SECRETS, manifest, { fieldManager, signal }),
    )
    store.observe(made)
    return made
  }

  #wanted(owner: KubeObject, content: SecretContent): Wanted {
    const { label } = this.#options
    const encoded = Object.entries(content.data).map(([key, text]) => [
      key,
      Buffer.from(text, 'utf8').toString('base64'),
    ])
    return {
      type: content.type,
      labels: { ...content.labels, [label.name]: label.value },
      data: Object.fromEntries(encoded),
      owner: {
        apiVersion: owner.apiVersion,
        kind: owner.kind,
        name: owner.metadata.name,
        uid: owner.metadata.uid,
        controller: true,
        // Without it, deleting the owner in the foreground would not wait for the Secret.
        blockOwnerDeletion: true,
      },
    }
  }
}

/** An entry of a Secret as text; undefined when it does not have it. */
export function secretText(secret: SecretObject, key: string): string | undefined {
  const encoded = secret.data?.[key]
  return encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString('utf8')
}

interface Wanted {
  readonly type: string
  readonly labels: Readonly<Record<string, string>>
  readonly data: Readonly<Record<string, string>>
  readonly owner: OwnerReference
}

/** In what a Secret differs from what it should be. Labels that are not ours may be there. */
function compare(current: SecretObject, wanted: Wanted): readonly SecretDifference[] {
  const data = current.data ?? {}
  const sameData =
    Object.keys(data).length === Object.keys(wanted.data).length &&
    Object.entries(wanted.data).every(([key, value]) => data[key] === value)
  const labels = current.metadata.labels ?? {}
  const sameLabels = Object.entries(wanted.labels).every(([name, value]) => labels[name] === value)
  const sameOwner = current.metadata.ownerReferences?.some(
    (o) => o.uid === wanted.owner.uid && o.controller && o.apiVersion === wanted.owner.apiVersion,
  )
  const differences: [SecretDifference, boolean][] = [
    ['type', current.type !== wanted.type],
    ['data', !sameData],
    ['labels', !sameLabels],
    ['owner', !sameOwner],
  ]
  return differences.flatMap(([name, differs]) => (differs ? [name] : []))
}

function groupOf(apiVersion: string): string {
  return apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : ''
}
