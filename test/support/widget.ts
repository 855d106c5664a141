import type { KubeClient } from '../../src/k8s/client.ts'
import type { CommonStatus, CustomResource, Manifest, ResourceKind } from '../../src/k8s/object.ts'
import { referenceKey } from '../../src/k8s/object.ts'
import type { Outcome, ReconcileContext, Reconciler } from '../../src/k8s/reconciler.ts'
import { done } from '../../src/k8s/reconciler.ts'

/** A kind for the runtime's own tests: it knows nothing of Cardea's. */
export const WIDGETS: ResourceKind = {
  group: 'runtime.test',
  version: 'v1',
  kind: 'Widget',
  plural: 'widgets',
  namespaced: true,
}

export interface Widget extends CustomResource {
  readonly spec: {
    readonly size?: number
    readonly suspend?: boolean
    /** Another Widget of the namespace. */
    readonly parent?: string
  }
  readonly status?: CommonStatus & { readonly id?: string; readonly size?: number }
}

export function aWidget(namespace: string, name: string, spec: Widget['spec'] = {}): Manifest {
  return { apiVersion: 'runtime.test/v1', kind: 'Widget', metadata: { namespace, name }, spec }
}

type Steps = Partial<Pick<Reconciler<Widget>, 'reconcile' | 'finalize'>>

/** A reconciler of Widgets that records its passes, and does what a test tells it. */
export class WidgetReconciler implements Reconciler<Widget> {
  readonly resource = WIDGETS
  readonly passes: { readonly name: string; readonly generation: number | undefined }[] = []
  readonly finalized: string[] = []
  /** Names that are being worked on, and whether one ever was twice at once. */
  readonly active = new Set<string>()
  overlapped = false
  readonly #steps: Steps

  constructor(steps: Steps = {}) {
    this.#steps = steps
  }

  references({ metadata, spec }: Widget): readonly string[] {
    return spec.parent ? [referenceKey('Widget', metadata.namespace, spec.parent)] : []
  }

  reconcile(widget: Widget, context: ReconcileContext): Promise<Outcome<{ size?: number }>> {
    const { name, generation } = widget.metadata
    this.passes.push({ name, generation })
    return this.#alone(name, async () => {
      if (this.#steps.reconcile) return this.#steps.reconcile(widget, context)
      return done('It is as it should be.', { status: { size: widget.spec.size ?? 0 } })
    })
  }

  finalize(widget: Widget, context: ReconcileContext): Promise<Outcome<{ size?: number }>> {
    const { name } = widget.metadata
    this.finalized.push(name)
    return this.#alone(name, async () =>
      this.#steps.finalize ? this.#steps.finalize(widget, context) : done('It is gone.'),
    )
  }

  passesOf(name: string): number {
    return this.passes.filter((pass) => pass.name === name).length
  }

  async #alone<T>(name: string, work: () => Promise<T>): Promise<T> {
    if (this.active.has(name)) this.overlapped = true
    this.active.add(name)
    try {
      return await work()
    } finally {
      this.active.delete(name)
    }
  }
}

const CRDS: ResourceKind = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  namespaced: false,
}

/** Makes the API server know Widgets; resolves when it does. */
export async function installWidgets(client: KubeClient): Promise<void> {
  await client.apply(CRDS, crd, { fieldManager: 'test' })
  for (let attempt = 0; attempt < 100; attempt += 1) {
    try {
      await client.list(WIDGETS, { limit: 1 })
      return
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  throw new Error('the API server does not come to know Widgets')
}

const string = { type: 'string' }
const integer = { type: 'integer', format: 'int64' }

const condition = {
  type: 'object',
  required: ['type', 'status', 'lastTransitionTime', 'reason', 'message'],
  properties: {
    type: string,
    status: { type: 'string', enum: ['True', 'False', 'Unknown'] },
    observedGeneration: integer,
    lastTransitionTime: { type: 'string', format: 'date-time' },
    reason: string,
    message: { type: 'string', maxLength: 1024 },
  },
}

const status = {
  type: 'object',
  default: { observedGeneration: -1 },
  properties: {
    observedGeneration: integer,
    lastHandledReconcileAt: string,
    id: string,
    size: { type: 'integer', format: 'int64', maximum: 1000 },
    conditions: {
      type: 'array',
      items: condition,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['type'],
    },
  },
}

const crd: Manifest = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.runtime.test' },
  spec: {
    group: WIDGETS.group,
    names: { kind: WIDGETS.kind, plural: WIDGETS.plural },
    scope: 'Namespaced',
    versions: [
      {
        name: WIDGETS.version,
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: {
                type: 'object',
                default: {},
                properties: { size: integer, suspend: { type: 'boolean' }, parent: string },
              },
              status,
            },
          },
        },
      },
    ],
  },
}
