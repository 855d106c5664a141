import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface Stale {
  /** From the root of the tree. */
  readonly path: string
  readonly why: 'missing' | 'differs' | 'nothing generates it any more'
}

/**
 * The generated files that are not as they would be generated now.
 * @param root the root of the tree
 * @param files what is generated, by path
 * @param folders those in which everything is generated
 */
export async function staleFiles(
  root: string,
  files: ReadonlyMap<string, string>,
  folders: readonly string[],
): Promise<readonly Stale[]> {
  const stale: Stale[] = []
  for (const [path, content] of files) {
    const present = await readFile(join(root, path), 'utf8').catch(() => undefined)
    if (present === undefined) stale.push({ path, why: 'missing' })
    else if (present !== content) stale.push({ path, why: 'differs' })
  }
  for (const folder of folders) {
    for (const name of await readdir(join(root, folder)).catch(() => [])) {
      const path = join(folder, name)
      if (!files.has(path)) stale.push({ path, why: 'nothing generates it any more' })
    }
  }
  return stale
}
