import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import path from 'node:path'
import { type Progress, step } from './progress.ts'

/**
 * Sees to it that a program of a Debian package is on the PATH: root on Debian or Ubuntu installs the package.
 *
 * @throws with the command that installs it where this process may not.
 */
export async function ensureDebianProgram(
  program: string,
  packageName: string,
  progress: Progress,
): Promise<void> {
  await ensureDebianPackage(packageName, program, () => isOnPath(program), progress)
}

/**
 * Sees to it that what a Debian package brings is here: root on Debian or Ubuntu installs the package.
 *
 * @param what it brings, for people.
 * @throws with the command that installs it where this process may not.
 */
export async function ensureDebianPackage(
  packageName: string,
  what: string,
  isHere: () => boolean,
  progress: Progress,
): Promise<void> {
  if (isHere()) return
  const advice = `Install it: apt-get install ${packageName}, or what your system calls it.`
  if (process.getuid?.() !== 0 || !isOnPath('apt-get')) {
    throw new Error(`${what} is needed and is not here. ${advice}`)
  }
  await step(progress, `Installing the Debian package ${packageName}`, async () => {
    aptGet('update', '--quiet')
    aptGet('install', '--quiet', '--yes', '--no-install-recommends', packageName)
  })
  if (!isHere()) throw new Error(`${packageName} brought no ${what}. ${advice}`)
}

function aptGet(...args: readonly string[]): void {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const { status, stdout, stderr } = spawnSync('apt-get', args, { env, encoding: 'utf8' })
  if (status !== 0) throw new Error(`apt-get ${args.join(' ')} failed:\n${stdout}${stderr}`)
}

function isOnPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(path.delimiter).some((folder) => {
    try {
      accessSync(path.join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
