import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { run } from './command.ts'
import { commandEnvironment } from './environment.ts'
import { apply, kubectl } from './install.ts'
import { place, ROOT } from './place.ts'
import type { Progress } from './progress.ts'
import type { ToolPaths } from './tools.ts'

const FOLDER = path.join(ROOT, 'manifests', 'quickstart')
const READY_WITHIN_MS = 120_000
const CHECKED_WITHIN_MS = 15_000

interface Condition {
  readonly type: string
  readonly status: string
  readonly reason: string
  readonly message: string
}

/** The part of a resource's JSON that is read here. */
export interface Resource {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly generation?: number }
  readonly status?: {
    readonly observedGeneration?: number
    readonly conditions?: readonly Condition[]
  }
}

/** Applies `manifests/quickstart/`. */
export async function applyQuickstart(tools: ToolPaths): Promise<void> {
  await apply(tools, place.kubeconfig, [`--filename=${FOLDER}`])
}

/**
 * Waits until every Cardea resource of the quickstart is Ready, and tells of each.
 *
 * @returns how many they are.
 * @throws with the condition of each that was not Ready in time.
 */
export async function untilQuickstartReady(tools: ToolPaths, progress: Progress): Promise<number> {
  const told = new Set<string>()
  const deadline = Date.now() + READY_WITHIN_MS
  for (;;) {
    const resources = await readResources(tools)
    const ready = resources.filter((resource) => readiness(resource) === undefined)
    for (const name of ready.map(nameOf).filter((each) => !told.has(each))) {
      told.add(name)
      progress.say(`  ✓ ${name} is Ready`)
    }
    if (ready.length === resources.length) return ready.length
    const waiting = resources.filter((resource) => !ready.includes(resource))
    progress.detail(`waiting for ${waiting.map(nameOf).join(', ')}`)
    if (Date.now() > deadline) {
      const why = waiting.map((resource) => `  ${nameOf(resource)}: ${readiness(resource)}`)
      throw new Error(`Not Ready after ${READY_WITHIN_MS / 1000} s:\n${why.join('\n')}`)
    }
    await sleep(250)
  }
}

/** Why a resource is not Ready, by the kstatus rules; undefined when it is. */
export function readiness({ metadata, status }: Resource): string | undefined {
  if (status?.observedGeneration !== metadata.generation) return 'the operator has not seen it yet'
  const ready = status?.conditions?.find(({ type }) => type === 'Ready')
  if (ready?.status === 'True') return undefined
  return ready ? `${ready.reason}: ${ready.message}` : 'it has no Ready condition yet'
}

async function readResources(tools: ToolPaths): Promise<readonly Resource[]> {
  const answer = await kubectl(tools, place.kubeconfig, [
    'get',
    `--filename=${FOLDER}`,
    '--output=json',
  ])
  const { items }: { items: readonly Resource[] } = JSON.parse(answer)
  return items.filter(({ apiVersion }) => apiVersion.startsWith('cardea.dev/'))
}

function nameOf({ kind, metadata }: Resource): string {
  return `${kind.toLowerCase()}/${metadata.name}`
}

/**
 * Unwraps the quickstart's API key and has every replica judge a request with it.
 *
 * @returns what was allowed, for people.
 * @throws when the key cannot be unwrapped, or a replica does not allow the request in time.
 */
export async function checkRequest(
  system: Parameters<typeof commandEnvironment>[0],
): Promise<string> {
  const { authUrls } = system
  const command = path.join(place.bin, 'cardea')
  const key = await run(command, ['unwrap', '--namespace=acme', 'ci-key'], {
    env: { ...process.env, ...commandEnvironment(system) },
  })
  const answers = await Promise.all(authUrls.map((url) => untilAllowed(url, key.trim())))
  const [first] = answers
  const fact = (name: string): string => first?.headers.get(`x-cardea-${name}`) || '–'
  return `GET /check?scope=scans:read → 200 · organization ${fact('organization')} · project ${fact('project')} · roles ${fact('roles')} · scopes ${fact('scopes')}`
}

/** A replica learns of a new key by the change feed, a moment after the operator does. */
async function untilAllowed(url: string, key: string): Promise<Response> {
  const deadline = Date.now() + CHECKED_WITHIN_MS
  for (;;) {
    const answer = await fetch(new URL('/check?scope=scans:read', url), {
      headers: { 'x-api-key': key },
    })
    if (answer.ok) return answer
    if (Date.now() > deadline) {
      throw new Error(
        `${url} answers ${answer.status} to the quickstart's key: ${await answer.text()}`,
      )
    }
    await sleep(100)
  }
}
