import { accessSync, constants } from 'node:fs'
import path from 'node:path'
import { run } from './command.ts'
import type { Progress } from './progress.ts'
import { names, reaches, type ToolName, tools } from './tool.ts'
import { buildTools, toolCache } from './toolbuild.ts'

export type ToolPaths = Readonly<Record<ToolName, string>>

/**
 * Finds the cluster tools: in `KUBEBUILDER_ASSETS`, then on the `PATH` where new enough, then in the cache; what is in
 * none of them is built into the cache from the versions that `hack/tools/go.mod` pins.
 *
 * @returns the absolute path of each tool.
 * @throws when Go is missing or too old and something must be built, or when a build fails.
 */
export async function ensureTools(progress: Progress): Promise<ToolPaths> {
  const cache = toolCache()
  const found = new Map<ToolName, string>()
  for (const name of names) {
    const place = (await findInstalled(name)) ?? executable(path.join(cache, name))
    if (place) found.set(name, place)
  }
  const missing = names.filter((name) => !found.has(name))
  if (missing.length > 0) await buildTools(missing, cache, progress)
  const at = (name: ToolName): string => found.get(name) ?? path.join(cache, name)
  return {
    etcd: at('etcd'),
    'kube-apiserver': at('kube-apiserver'),
    'kube-controller-manager': at('kube-controller-manager'),
    kubectl: at('kubectl'),
    helm: at('helm'),
  }
}

async function findInstalled(name: ToolName): Promise<string | undefined> {
  const assets = process.env['KUBEBUILDER_ASSETS']
  const folders = [
    ...(assets ? [assets] : []),
    ...(process.env['PATH'] ?? '').split(path.delimiter),
  ]
  for (const folder of folders) {
    // .cardea/bin holds links into the cache, perhaps of an older checkout.
    if (!path.isAbsolute(folder) || folder.endsWith(path.join('.cardea', 'bin'))) continue
    const place = executable(path.join(folder, name))
    if (place && (await isNewEnough(name, place))) return place
  }
  return undefined
}

async function isNewEnough(name: ToolName, place: string): Promise<boolean> {
  try {
    const answer = await run(place, tools[name].version, { timeoutMs: 20_000 })
    return reaches(answer, tools[name].oldest)
  } catch {
    return false
  }
}

function executable(place: string): string | undefined {
  try {
    accessSync(place, constants.X_OK)
    return place
  } catch {
    return undefined
  }
}
