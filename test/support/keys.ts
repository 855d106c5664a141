import { apiKeyKind } from '../../src/api/v1alpha1/apikey.ts'
import { isReady } from '../../src/k8s/object.ts'
import { anAPIKey } from './build/resource.ts'
import { admin, eventually, type Live } from './kube.ts'
import type { System } from './system.ts'

/** Requests to the API server at once. */
const writing = 16

/** An API key that is in force. */
export interface Minted {
  readonly name: string
  /** The record's. */
  readonly id: string
  readonly key: string
}

/** Makes API keys as resources, waits until they are Ready and opens their Secrets. */
export async function mintKeys(
  system: System,
  namespace: string,
  prefix: string,
  count: number,
): Promise<readonly Minted[]> {
  const names = Array.from({ length: count }, (_, at) => `${prefix}-${at}`)
  await each(names, async (name) => {
    const manifest = { ...anAPIKey(namespace, name, {}, { labels: { batch: prefix } }) }
    await admin().create(apiKeyKind, manifest, { fieldManager: 'author' })
  })
  const live = await eventually(
    `${count} keys are Ready`,
    async () => {
      const selection = { namespace, labelSelector: `batch=${prefix}`, limit: count }
      const { items } = await admin().list<Live>(apiKeyKind, selection)
      return items.length === count && items.every(isReady) ? items : undefined
    },
    60_000,
  )
  return each(live, async ({ metadata: { name }, status }) => ({
    name,
    id: status.id,
    key: await system.unwrap(namespace, name),
  }))
}

async function each<In, Out>(
  items: readonly In[],
  work: (item: In) => Promise<Out>,
): Promise<readonly Out[]> {
  const queue = [...items.entries()]
  const results = Array.from<Out>({ length: items.length })
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const [at, item] = next
      results[at] = await work(item)
    }
  }
  await Promise.all(Array.from({ length: writing }, worker))
  return results
}
