import { randomBytes } from 'node:crypto'
import { KubeConfig } from '@kubernetes/client-node'
import { Pool } from 'pg'
import { kinds } from '../../src/api/v1alpha1/kinds.ts'
import { takeLeadership } from '../../src/db/leadership.ts'
import { DataKeys } from '../../src/encryption/datakeys.ts'
import { KubeClient } from '../../src/k8s/client.ts'
import { systemClock } from '../../src/k8s/clock.ts'
import { type CustomResource, objectKey } from '../../src/k8s/object.ts'
import { Pass } from '../../src/k8s/pass.ts'
import type { Reconciler } from '../../src/k8s/reconciler.ts'
import { OwnedSecrets, SECRETS, type SecretObject } from '../../src/k8s/secret.ts'
import { APIKeyReconciler } from '../../src/operator/apikey/reconciler.ts'
import type { OperatorDependencies } from '../../src/operator/dependencies.ts'
import { guarded } from '../../src/operator/guarded.ts'
import { secretLabel } from '../../src/operator/operator.ts'
import { OrganizationReconciler } from '../../src/operator/organization.ts'
import { ProjectReconciler } from '../../src/operator/project.ts'
import { ProviderCredentialReconciler } from '../../src/operator/providercredential/reconciler.ts'
import { RBACBindingReconciler } from '../../src/operator/rbacbinding.ts'
import { RBACRoleReconciler } from '../../src/operator/rbacrole.ts'
import { testCluster } from './controlplane.ts'
import { keyringOf } from './keyring.ts'
import { admin } from './kube.ts'
import { Mortal } from './mortal.ts'
import { testKek } from './operator.ts'
import type { TestDatabase } from './postgres.ts'
import { memoryLogger } from './runtime.ts'

const reconcilers = {
  organization: OrganizationReconciler,
  project: ProjectReconciler,
  rbacrole: RBACRoleReconciler,
  rbacbinding: RBACBindingReconciler,
  apikey: APIKeyReconciler,
  providercredential: ProviderCredentialReconciler,
} as const
export type ReconciledKind = keyof typeof reconcilers

/** How often an object is taken up again before it must have settled. */
const mostPasses = 6

/** Operators one after the other over one namespace and database, each of which may be killed at any call. */
export class Lives {
  readonly client: KubeClient
  readonly #pool: Pool
  readonly #namespace: string

  constructor(namespace: string, database: TestDatabase) {
    const kubeConfig = new KubeConfig()
    kubeConfig.loadFromFile(testCluster().operatorKubeconfig)
    this.client = KubeClient.fromKubeConfig(kubeConfig)
    this.#pool = new Pool({ connectionString: database.operatorUrl, max: 4 })
    this.#pool.on('error', () => {})
    this.#namespace = namespace
  }

  /**
   * A new operator, which knows what its caches know at its start, deals with one object until there is nothing more to
   * do, or until it is killed.
   */
  async live(
    kind: ReconciledKind,
    name: string,
    options: { readonly lifetime?: number; readonly changedByHand?: readonly string[] } = {},
  ): Promise<Mortal> {
    const process = new Mortal(options.lifetime)
    const client = process.client(this.client)
    const secrets = new Map<string, SecretObject>()
    const fence = await takeLeadership(this.#pool, 'test', 'a life')
    const keyring = keyringOf(process.kms(testKek))
    const deps: OperatorDependencies = {
      pool: process.pool(this.#pool),
      keyring,
      dataKeys: new DataKeys({ keyring, now: () => performance.now() }),
      secrets: new OwnedSecrets({
        client,
        store: cacheOf(secrets),
        label: { name: secretLabel, value: 'test' },
        fieldManager: 'cardea-operator',
      }),
      installation: 'test',
      fence: () => fence,
      randomBytes,
      allowPlainSecrets: false,
      adoptOrganizations: [],
      inviteOwners: true,
      logger: memoryLogger(),
      repaired: () => {},
      changedByHand: new Set(options.changedByHand),
      rotateSoon: () => {},
    }
    const reconciler = new reconcilers[kind](deps) as Reconciler<CustomResource>
    let cached: CustomResource | undefined
    const pass = new Pass({
      reconciler: guarded(reconciler, () => {}),
      client,
      store: {
        get: () => cached,
        observe: (object) => {
          cached = object
        },
      },
      fieldManager: 'cardea-operator',
      clock: systemClock,
      logger: memoryLogger(),
      record: () => {},
      get: () => undefined,
      referrers: () => [],
    })
    const definition = kinds.find((each) => each.kind.toLowerCase() === kind)
    if (!definition) throw new Error(`no kind ${kind}`)
    for (let left = mostPasses; left > 0 && !process.dead; left -= 1) {
      cached = await admin().get<CustomResource>(definition, this.#namespace, name)
      await this.#fill(secrets)
      if (!cached) return process
      const end = await pass.run(cached, new AbortController().signal)
      if (end.end === 'idle' || (end.end === 'settled' && end.ready)) return process
      if (left === 1 && !process.dead)
        throw new Error(`${kind} ${name} does not settle`, { cause: end })
    }
    return process
  }

  async stop(): Promise<void> {
    await this.#pool.end()
    await this.client.close()
  }

  /** What the watch of the Secrets would have told by now. */
  async #fill(secrets: Map<string, SecretObject>): Promise<void> {
    const { items } = await admin().list<SecretObject>(SECRETS, {
      namespace: this.#namespace,
      labelSelector: `${secretLabel}=test`,
    })
    secrets.clear()
    for (const item of items) secrets.set(objectKey(item), item)
  }
}

function cacheOf(secrets: Map<string, SecretObject>) {
  return {
    get: (key: string) => secrets.get(key),
    values: () => secrets.values(),
    creating: <C>(_key: string, create: () => Promise<C>) => create(),
    // As in the store: what is not cached yet comes by the watch.
    observe: (secret: SecretObject) => {
      if (secrets.has(objectKey(secret))) secrets.set(objectKey(secret), secret)
    },
  }
}
