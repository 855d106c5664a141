import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { run } from './command.ts'
import { ensureDebianPackage } from './debian.ts'
import { holdingLock } from './lock.ts'
import { type Progress, step } from './progress.ts'
import { reaches } from './tool.ts'
import { cacheFolder } from './toolbuild.ts'

const REQUIREMENTS = path.join(import.meta.dirname, '..', 'tools')
const OLDEST_PYTHON = '3.10'

/** What `hack/tools/requirements-*.txt` pin. */
export type PythonPackages = 'ministack' | 'openbao'

/**
 * Installs Python packages into the tool cache, once per version: a virtual environment each, the files by their hashes,
 * from wherever this machine's pip looks.
 *
 * @returns the folder with their programs, `python` among them.
 * @throws when Python is missing or too old, or with what pip said.
 */
export async function ensurePythonPackages(
  name: PythonPackages,
  progress: Progress,
): Promise<string> {
  const requirements = path.join(REQUIREMENTS, `requirements-${name}.txt`)
  const python = await findPython(progress)
  // A virtual environment is tied to the Python that made it.
  const hash = createHash('sha256').update(python).update(readFileSync(requirements))
  const home = path.join(cacheFolder(), 'python', `${name}-${hash.digest('hex').slice(0, 16)}`)
  const programs = path.join(home, 'bin')
  const complete = path.join(home, 'complete')
  if (existsSync(complete)) return programs

  mkdirSync(path.dirname(home), { recursive: true })
  const waiting = (): void => progress.say(`Another run is installing ${name}: waiting for it.`)
  await holdingLock(`${home}.installing`, waiting, async () => {
    if (existsSync(complete)) return
    await step(progress, `Installing ${name} from PyPI, once`, async () => {
      rmSync(home, { recursive: true, force: true })
      await run('python3', ['-m', 'venv', home])
      const options = ['--quiet', '--require-hashes', '--only-binary=:all:', '--no-deps']
      const install = ['-m', 'pip', 'install', '--disable-pip-version-check', ...options]
      await run(path.join(programs, 'python'), [...install, `--requirement=${requirements}`])
    })
    writeFileSync(complete, '')
  })
  return programs
}

/** Which Python this is, after seeing to it that it can make virtual environments. */
async function findPython(progress: Progress): Promise<string> {
  await ensureDebianPackage('python3-venv', 'python3 with its venv module', hasVenv, progress)
  const script = 'import sys; print(sys.version); print(sys.executable); print(sys.base_prefix)'
  const python = await run('python3', ['-c', script])
  if (reaches(python, OLDEST_PYTHON)) return python
  throw new Error(
    `Python ${python.split(' ')[0]} is too old: ${OLDEST_PYTHON} or newer is needed as python3.`,
  )
}

function hasVenv(): boolean {
  return spawnSync('python3', ['-c', 'import venv, ensurepip'], { stdio: 'ignore' }).status === 0
}
