import { type ExecFileException, execFile } from 'node:child_process'
import { cpSync, existsSync, readFileSync, symlinkSync } from 'node:fs'
import path from 'node:path'
import { ROOT } from '../../hack/local/place.ts'
import type { ProcessIdentity } from '../../hack/local/processes.ts'
import { temporaryDirectory } from './servers.ts'

/** A checkout of the test's own: the developer's .cardea/ is none of its business. */
export interface Checkout {
  readonly directory: string
  /** Its `.cardea/`. */
  readonly home: string
  hack(command: string, ...args: readonly string[]): Promise<Result>
  /** What a shell prints that has sourced `.cardea/env`. */
  sourced(script: string, cwd?: string): Promise<string>
  variable(name: string): Promise<string>
  /** The key of the quickstart. */
  unwrap(): Promise<string>
  /** The status that a request with a key gets. */
  check(key: string, scope: string, base?: string): Promise<number>
  processes(): Record<string, ProcessIdentity>
}

interface Result {
  readonly code: number
  readonly output: string
}

const parts = ['charts', 'crds', 'hack', 'manifests', 'package-lock.json', 'package.json', 'src']

/** Copies what `./hack/up` needs. */
export function makeCheckout(): Checkout {
  const directory = temporaryDirectory('checkout')
  const home = path.join(directory, '.cardea')
  for (const part of parts) {
    cpSync(path.join(ROOT, part), path.join(directory, part), { recursive: true })
  }
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(directory, 'node_modules'))

  const checkout: Checkout = {
    directory,
    home,
    hack: (command, ...args) =>
      new Promise((resolve) => {
        const done = (error: ExecFileException | null, stdout: string, stderr: string): void =>
          resolve({ code: Number(error?.code ?? 0), output: `${stdout}${stderr}` })
        execFile(path.join(directory, 'hack', command), [...args], { cwd: directory }, done)
      }),
    sourced: (script, cwd = directory) =>
      new Promise((resolve, reject) => {
        const command = `. ${path.join(home, 'env')} && ${script}`
        execFile('sh', ['-ec', command], { cwd }, (error, stdout, stderr) =>
          error ? reject(new Error(stderr, { cause: error })) : resolve(stdout),
        )
      }),
    variable: (name) => checkout.sourced(`printf %s "$${name}"`),
    unwrap: async () => (await checkout.sourced('cardea unwrap -n acme ci-key')).trim(),
    async check(key, scope, base) {
      const url = `${base ?? (await checkout.variable('CARDEA_URL'))}/check?scope=${scope}`
      return (await fetch(url, { headers: { 'x-api-key': key } })).status
    },
    processes() {
      const file = path.join(home, 'processes.json')
      return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}
    },
  }
  return checkout
}
