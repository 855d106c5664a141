import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { type GeneratedFiles, generate, generatedFolders } from './generate/files.ts'
import { type Stale, staleFiles } from './generate/stale.ts'
import { terminalProgress } from './local/progress.ts'
import { ensureTools } from './local/tools.ts'

const usage = `usage: hack/generate.ts [--check]

Writes every generated file: crds/ and docs/api/ from the schemas in src/api/v1alpha1, the prose in
hack/generate/prose and the examples in config/samples; charts/cardea-crds/, config/ and
manifests/install.yaml from those and charts/cardea.

  --check  write nothing; list the files that are stale and exit with 1 if there are any
  --help   print this
`

async function main(args: readonly string[]): Promise<number> {
  const unknown = args.find((arg) => !['--check', '--help', '-h'].includes(arg))
  if (unknown !== undefined) {
    process.stderr.write(`generate: there is no option ${unknown}\n\n${usage}`)
    return 2
  }
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(usage)
    return 0
  }
  process.chdir(join(import.meta.dirname, '..'))
  const { helm } = await ensureTools(terminalProgress())
  const files = await generate(helm)
  const stale = await staleFiles('.', files, generatedFolders)
  if (!args.includes('--check')) {
    await write(files, stale)
    process.stdout.write(`generate: ${files.size} files, ${stale.length} of them changed\n`)
    return 0
  }
  if (stale.length === 0) return 0
  const list = stale.map(({ path, why }) => `  ${path}: ${why}\n`).join('')
  process.stderr.write(`generate: stale, run node hack/generate.ts and commit:\n${list}`)
  return 1
}

async function write(files: GeneratedFiles, stale: readonly Stale[]): Promise<void> {
  for (const { path } of stale) {
    const content = files.get(path)
    if (content === undefined) {
      await rm(path)
    } else {
      await mkdir(dirname(path), { recursive: true })
      await writeFile(path, content)
    }
  }
}

process.exitCode = await main(process.argv.slice(2))
