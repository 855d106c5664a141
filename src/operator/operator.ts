import type { Pool } from 'pg'
import type { Registry } from 'prom-client'
import { apiKeyKind } from '../api/v1alpha1/apikey.ts'
import type { EncryptionKey } from '../api/v1alpha1/encryptionkey.ts'
import { type Organization, organizationKind } from '../api/v1alpha1/organization.ts'
import type { Change } from '../db/changes.ts'
import type { Fence } from '../db/transaction.ts'
import type { DataKeys } from '../encryption/datakeys.ts'
import { systemClock } from '../k8s/clock.ts'
import type { Manager } from '../k8s/manager.ts'
import { type CustomResource, type KubeObject, referenceKey } from '../k8s/object.ts'
import type { Logger, Reconciler } from '../k8s/reconciler.ts'
import { OwnedSecrets, SECRET_METADATA, SECRETS, type SecretObject } from '../k8s/secret.ts'
import type { ObjectStore } from '../k8s/store.ts'
import type { Keyring } from '../kms/keyring.ts'
import { APIKeyReconciler } from './apikey/reconciler.ts'
import type { OperatorDependencies } from './dependencies.ts'
import { ProbeHistory, type ProbeIntervals } from './encryptionkey/history.ts'
import { encryptionMetrics } from './encryptionkey/metrics.ts'
import { EncryptionKeyReconciler } from './encryptionkey/reconciler.ts'
import { encryptionKeyOf } from './encryptionkey/reference.ts'
import { guarded } from './guarded.ts'
import { wakeHandMade } from './handmade.ts'
import { Loop, type LoopIntervals } from './loop.ts'
import { OrganizationReconciler } from './organization.ts'
import { ProjectReconciler } from './project.ts'
import { ProviderCredentialReconciler } from './providercredential/reconciler.ts'
import { RBACBindingReconciler } from './rbacbinding.ts'
import { RBACRoleReconciler } from './rbacrole.ts'
import { Rotation, type RotationBounds } from './rotation/rotation.ts'
import { sealedTables } from './rotation/tables.ts'

/** The label of every Secret that an installation makes, by which it watches them and no others. */
export const secretLabel = `${organizationKind.group}/installation`

export interface OperatorOptions {
  readonly manager: Manager
  readonly pool: Pool
  readonly keyring: Keyring
  readonly dataKeys: DataKeys
  readonly config: {
    readonly installation: string
    readonly allowPlainSecrets: boolean
    readonly adoptOrganizations: readonly string[]
    readonly inviteOwners: boolean
  }
  readonly fence: () => Fence
  readonly randomBytes: (length: number) => Uint8Array
  readonly repaired: (kind: string, where: 'row' | 'secret') => void
  /** Told when a write was fenced off: the program must end. */
  readonly onFenced: () => void
  readonly logger: Logger
  readonly registry: Registry
  /** How often keys are probed, and how hard a rotation works; as usual where it is left out. */
  readonly pace?: {
    readonly probes?: Partial<ProbeIntervals>
    readonly loop?: Partial<LoopIntervals>
    readonly bounds?: Partial<RotationBounds>
  }
}

/** Registers the reconcilers of all kinds with the manager. */
export function buildOperator(options: OperatorOptions) {
  const { manager, config, onFenced, logger, registry, pace = {} } = options
  const label = { name: secretLabel, value: config.installation }
  const store = manager.watch<SecretObject>(SECRETS, `${label.name}=${label.value}`)
  // Other people's, which resources refer to: that they change is heard of, and their content is not cached.
  manager.watch(SECRET_METADATA, `${label.name}!=${label.value}`)
  const secrets = new OwnedSecrets({
    client: manager.client,
    store,
    label,
    fieldManager: 'cardea-operator',
  })
  const changedByHand = new Set<string>()
  const { pool, keyring, dataKeys, fence, randomBytes, repaired } = options
  const { installation, allowPlainSecrets, adoptOrganizations, inviteOwners } = config
  const clients = { pool, keyring, dataKeys, secrets }
  const services = { ...clients, fence, logger, randomBytes, repaired, changedByHand }
  const settings = { installation, allowPlainSecrets, adoptOrganizations, inviteOwners }
  const rotateSoon = (): void => loop.soon()
  const deps: OperatorDependencies = { ...services, ...settings, rotateSoon }
  const stores = new Map<string, ObjectStore<KubeObject>>()
  const add = <T extends CustomResource>(reconciler: Reconciler<T>): void => {
    const served = manager.add(guarded(reconciler, onFenced))
    stores.set(reconciler.resource.kind, served as unknown as ObjectStore<KubeObject>)
  }
  const keys = (): Iterable<EncryptionKey> =>
    (stores.get('EncryptionKey')?.values() ?? []) as Iterable<EncryptionKey>
  const get = (reference: string): KubeObject | undefined => {
    const [kind = '', ...key] = reference.split('/')
    return stores.get(kind)?.get(key.join('/'))
  }
  const leads = (): boolean => manager.isLeading
  const time = { clock: systemClock, random: Math.random, logger }
  const rotation = new Rotation({
    ...time,
    deps,
    keys,
    keyOf(namespace, name) {
      const found = stores.get('Organization')?.get(`${namespace}/${name}`)
      return found && encryptionKeyOf(found as Organization, { get })
    },
    wake: (reference, reason, priority) => manager.wake(reference, reason, priority),
    tables: sealedTables,
    bounds: pace.bounds,
  })
  const run = (signal: AbortSignal) => rotation.run(signal)
  const loop = new Loop({ ...time, what: 'a rotation', run, leads, onFenced, intervals: pace.loop })
  const { progress } = rotation
  const observer = encryptionMetrics(registry, { keys, progress, leads })
  const probes = new ProbeHistory(keyring, observer, time.random, pace.probes)
  add(new EncryptionKeyReconciler(deps, probes))
  add(new OrganizationReconciler(deps))
  add(new ProjectReconciler(deps))
  add(new RBACRoleReconciler(deps))
  add(new APIKeyReconciler(deps))
  add(new RBACBindingReconciler(deps))
  add(new ProviderCredentialReconciler(deps))
  return {
    /** Begins to look for what is wrapped or sealed by a former key. */
    start(): void {
      loop.start()
    },
    /** Ends that, before the manager is stopped. */
    stop(): Promise<void> {
      return loop.stop()
    },
    /** Takes in what the change feed tells. */
    changed(changes: readonly Change[]): void {
      const resources = new ResourcesById(stores)
      wakeHandMade(changes, {
        installation,
        changedByHand,
        resourceOf: (kind, id) => resources.find(kind, id),
        wake: (reference, reason) => manager.wake(reference, reason),
      })
    },
    /** Anything may have been changed by anybody, as after a restore: every record is examined, and every secret opened. */
    reloaded(): void {
      for (const served of stores.values()) {
        for (const object of served.values()) {
          const id = statusId(object)
          if (object.kind === apiKeyKind.kind && id !== undefined) changedByHand.add(id)
          manager.wake(referenceOf(object), 'the change feed begins anew')
        }
      }
    },
  }
}

/** The resources whose status shows an id, of those kinds that are asked for. Good for one batch of changes. */
class ResourcesById {
  readonly #stores: ReadonlyMap<string, ObjectStore<KubeObject>>
  readonly #byKind = new Map<string, ReadonlyMap<string | undefined, string>>()

  constructor(stores: ReadonlyMap<string, ObjectStore<KubeObject>>) {
    this.#stores = stores
  }

  /** The reference key of the resource; undefined when there is none. */
  find(kind: string, id: string): string | undefined {
    const objects = (): Iterable<KubeObject> => this.#stores.get(kind)?.values() ?? []
    const known =
      this.#byKind.get(kind) ??
      new Map([...objects()].map((object) => [statusId(object), referenceOf(object)]))
    this.#byKind.set(kind, known)
    return known.get(id)
  }
}

function statusId(object: KubeObject): string | undefined {
  return (object as KubeObject & { status?: { id?: string } }).status?.id
}

function referenceOf({ kind, metadata }: KubeObject): string {
  return referenceKey(kind, metadata.namespace, metadata.name)
}
