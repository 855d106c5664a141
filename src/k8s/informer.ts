import type { KubeClient } from './client.ts'
import type { Clock, Random } from './clock.ts'
import type { KubeObject, ResourceKind } from './object.ts'
import type { Logger } from './reconciler.ts'
import { retained } from './retain.ts'
import { ObjectStore } from './store.ts'
import { Reflector, type ReflectorObserver, type ReflectorTimings } from './watch.ts'

export interface InformerOptions {
  readonly client: Pick<KubeClient, 'list' | 'watch'>
  readonly kind: ResourceKind
  /** The namespaces to watch; empty for all. */
  readonly namespaces: readonly string[]
  /** Only objects with these labels: Secrets are watched narrowly. */
  readonly labelSelector?: string | undefined
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly observer: ReflectorObserver
  readonly timings?: Partial<ReflectorTimings>
}

/** The cache of a kind: one store, and a reflector for each namespace or one for all. */
export class Informer<T extends KubeObject = KubeObject> {
  readonly kind: ResourceKind
  readonly store: ObjectStore<T>
  readonly #reflectors: readonly Reflector<T>[]

  constructor(options: InformerOptions) {
    const { kind, namespaces, labelSelector, logger, ...rest } = options
    this.kind = kind
    this.store = new ObjectStore<T>(
      (err) => logger.error({ err, kind: kind.kind }, 'A handler of a watch event failed.'),
      (object) => retained(object, kind),
    )
    const scopes = namespaces.length > 0 ? namespaces : [undefined]
    this.#reflectors = scopes.map(
      (namespace) =>
        new Reflector<T>({
          ...rest,
          kind,
          logger,
          store: this.store,
          selection: { namespace, labelSelector },
        }),
    )
  }

  /** Whether every namespace has been listed in whole. */
  get hasSynced(): boolean {
    return this.#reflectors.every((reflector) => reflector.hasSynced)
  }

  /** When the server was last heard of by the reflector that has waited longest. */
  get lastSeen(): number | undefined {
    const seen = this.#reflectors.map((reflector) => reflector.lastSeen ?? 0)
    return Math.min(...seen) || undefined
  }

  /** Runs until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#reflectors.map((reflector) => reflector.run(signal)))
  }
}
