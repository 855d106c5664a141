import { execFileSync } from 'node:child_process'
import { cpSync, rmSync } from 'node:fs'
import path from 'node:path'
import { ROOT } from '../../hack/local/place.ts'

/** Compiles the programs, as the image ships them: stripping types at run time would count as their memory. */
export function buildPrograms(): string {
  const directory = path.join(ROOT, '.cardea', 'bench', 'dist')
  rmSync(directory, { recursive: true, force: true })
  const compiler = path.join(ROOT, 'node_modules', '.bin', 'tsc')
  execFileSync(compiler, ['-p', 'tsconfig.build.json', '--outDir', directory], { cwd: ROOT })
  cpSync(path.join(ROOT, 'src/db/migrations'), path.join(directory, 'db/migrations'), {
    recursive: true,
  })
  return directory
}
