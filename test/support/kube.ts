import { KubeConfig } from '@kubernetes/client-node'
import { kinds } from '../../src/api/v1alpha1/kinds.ts'
import { KubeClient } from '../../src/k8s/client.ts'
import type { CustomResource, ResourceKind } from '../../src/k8s/object.ts'
import { SECRETS } from '../../src/k8s/secret.ts'
import type { BuiltResource } from './build/resource.ts'
import { testCluster } from './controlplane.ts'

/** JSON that a test looks into without a type. */
export type Loose = ReturnType<typeof JSON.parse>

/** An object as the API server serves it, as far as tests look at it. */
export interface Live extends CustomResource {
  readonly spec: Loose
  readonly status?: Loose
  readonly type?: string
  readonly data?: Record<string, string>
}

const NAMESPACES: ResourceKind = {
  group: '',
  version: 'v1',
  kind: 'Namespace',
  plural: 'namespaces',
  namespaced: false,
}
const served = new Map<string, ResourceKind>(
  [...kinds, SECRETS, NAMESPACES].map((kind) => [kind.kind.toLowerCase(), kind]),
)

let client: KubeClient | undefined
/** The cluster administrator's client, without a process for each call. */
export function admin(): KubeClient {
  if (client) return client
  const kubeConfig = new KubeConfig()
  kubeConfig.loadFromFile(testCluster().kubeconfig)
  client = KubeClient.fromKubeConfig(kubeConfig)
  return client
}

/** By its name in lower case: `apikey`. */
function kindOf(name: string): ResourceKind {
  const kind = served.get(name.toLowerCase())
  if (!kind) throw new Error(`tests know no kind ${name}`)
  return kind
}

/** Applies manifests as an author would: on the server's side, and refused when a field is unknown. */
export async function apply(...resources: readonly BuiltResource[]): Promise<void> {
  for (const resource of resources) {
    kinds.find((kind) => kind.kind === resource.kind)?.spec.parse(resource.spec)
    await admin().apply(kindOf(resource.kind), { ...resource }, { fieldManager: 'author' })
  }
}

export function get(kind: string, namespace: string, name: string): Promise<Live | undefined> {
  return admin().get<Live>(kindOf(kind), namespace, name)
}

/** A merge patch by an administrator. */
export async function patch(
  kind: string,
  namespace: string,
  name: string,
  change: object,
  subresource?: 'status',
): Promise<void> {
  const options = { fieldManager: 'by-hand', subresource }
  await admin().patch(kindOf(kind), namespace, name, change, options)
}

/** Sets annotations of Cardea's: `rotate-requested-at`. */
export function request(
  kind: string,
  namespace: string,
  name: string,
  annotation: string,
  value: string,
): Promise<void> {
  return patch(kind, namespace, name, {
    metadata: { annotations: { [`cardea.dev/${annotation}`]: value } },
  })
}

/** Asks for the deletion; `whenGone` waits for it. */
export async function remove(kind: string, namespace: string, name: string): Promise<void> {
  await admin().delete(kindOf(kind), namespace, name)
}

export async function kubectl(...args: readonly string[]): Promise<string> {
  return testCluster().kubectl(args)
}

/**
 * Waits until `probe` answers something else than undefined.
 * @throws with `what` when it takes longer than `within` ms
 */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined> | T | undefined,
  within = 15_000,
): Promise<T> {
  const end = Date.now() + within
  for (;;) {
    const answer = await probe()
    if (answer !== undefined) return answer
    if (Date.now() > end) throw new Error(`${what}: not within ${within} ms`)
    await new Promise((resolve) => {
      setTimeout(resolve, 25)
    })
  }
}

/** Waits for a Ready condition of this status and, if given, reason; for the present generation. */
export async function whenReady(
  kind: string,
  namespace: string,
  name: string,
  status: 'True' | 'False' = 'True',
  reason?: string,
): Promise<Live> {
  let last: Live | undefined
  try {
    return await eventually(`${kind} ${name} Ready=${status} ${reason ?? ''}`, async () => {
      last = await get(kind, namespace, name)
      const ready = readyOf(last)
      const current = ready?.observedGeneration === last?.metadata.generation
      return current && ready.status === status && (reason === undefined || ready.reason === reason)
        ? last
        : undefined
    })
  } catch (error) {
    throw new Error(`${(error as Error).message}: ${JSON.stringify(last?.status)}`, {
      cause: error,
    })
  }
}

/** The message of the Ready condition. */
export function messageOf(live: Live | undefined): string {
  return readyOf(live)?.message ?? ''
}

function readyOf(live: Live | undefined): Loose {
  return live?.status?.conditions?.find((one: { type: string }) => one.type === 'Ready')
}

export async function whenGone(kind: string, namespace: string, name: string): Promise<void> {
  await eventually(`the end of ${kind} ${name}`, async () =>
    (await get(kind, namespace, name)) ? undefined : true,
  )
}
