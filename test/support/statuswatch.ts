import { kinds } from '../../src/api/v1alpha1/kinds.ts'
import type { CustomResource } from '../../src/k8s/object.ts'
import { assertInvariants } from '../../src/k8s/status.ts'
import { admin } from './kube.ts'

/** Every status that a namespace has when the watch begins or gets while it runs, held to the rules of kstatus. */
export interface StatusWatch {
  /** How many statuses there were. */
  readonly seen: () => number
  /** The reasons that a resource's Ready condition had, one after the other. */
  readonly reasonsOf: (kind: string, name: string) => readonly string[]
  /** Ends it; answers every rule that was broken. */
  stop(): Promise<readonly string[]>
}

export async function watchStatuses(namespace: string): Promise<StatusWatch> {
  const broken: string[] = []
  const reasons = new Map<string, string[]>()
  const ending = new AbortController()
  let seen = 0
  const take = ({ kind, metadata, status }: CustomResource): void => {
    // What the CRD gives a new object is not yet anybody's word.
    if (!status || status.observedGeneration === -1) return
    seen += 1
    try {
      assertInvariants(status, metadata.generation ?? 0)
    } catch (error) {
      broken.push(`${kind} ${metadata.name}: ${(error as Error).message}`)
    }
    const key = `${kind.toLowerCase()}/${metadata.name}`
    const reason = status.conditions?.find((one) => one.type === 'Ready')?.reason ?? ''
    const former = reasons.get(key) ?? []
    if (former.at(-1) !== reason) reasons.set(key, [...former, reason])
  }
  const follow = async (kind: (typeof kinds)[number], resourceVersion: string): Promise<void> => {
    const from = { namespace, resourceVersion, timeoutSeconds: 600 }
    try {
      const events = await admin().watch<CustomResource>(kind, from, ending.signal)
      for await (const event of events) if (event.type !== 'BOOKMARK') take(event.object)
    } catch (error) {
      if (!ending.signal.aborted) broken.push(`the watch of ${kind.plural} ended: ${String(error)}`)
    }
  }
  const watches = await Promise.all(
    kinds.map(async (kind) => {
      const { items, resourceVersion } = await admin().list<CustomResource>(kind, { namespace })
      for (const item of items) take(item)
      return { end: follow(kind, resourceVersion) }
    }),
  )
  return {
    seen: () => seen,
    reasonsOf: (kind, name) => reasons.get(`${kind}/${name}`) ?? [],
    async stop() {
      ending.abort()
      await Promise.all(watches.map((watch) => watch.end))
      return broken
    },
  }
}
