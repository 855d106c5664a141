import type { BuiltResource } from './build/resource.ts'
import { testCluster } from './controlplane.ts'

/** JSON that a test looks into without a type. */
export type Loose = ReturnType<typeof JSON.parse>

/** What `kubectl get -o json` answers, as far as tests look at it. */
export interface Live {
  readonly metadata: {
    readonly name: string
    readonly uid: string
    readonly generation: number
    readonly resourceVersion: string
    readonly deletionTimestamp?: string
    readonly finalizers?: readonly string[]
    readonly labels?: Record<string, string>
    readonly ownerReferences?: readonly { uid: string }[]
  }
  readonly spec: Loose
  readonly status?: Loose
  readonly type?: string
  readonly data?: Record<string, string>
}

/** Applies manifests as an administrator would with kubectl. */
export async function apply(...resources: readonly BuiltResource[]): Promise<void> {
  const items = resources.map((resource) => JSON.stringify(resource)).join('\n---\n')
  await testCluster().kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], {
    input: items,
  })
}

export async function get(
  kind: string,
  namespace: string,
  name: string,
): Promise<Live | undefined> {
  const text = await testCluster().kubectl([
    'get',
    kind,
    name,
    '-n',
    namespace,
    '-o',
    'json',
    '--ignore-not-found',
  ])
  return text.trim() === '' ? undefined : (JSON.parse(text) as Live)
}

export async function kubectl(...args: readonly string[]): Promise<string> {
  return testCluster().kubectl(args)
}

/**
 * Waits until `probe` answers something else than undefined.
 * @throws with the last answer of `tell` when it takes longer than `within` ms
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
      setTimeout(resolve, 50)
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
      const ready = last?.status?.conditions?.find(
        (condition: { type: string }) => condition.type === 'Ready',
      )
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
