import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { writePrivate } from './keep.ts'
import type { Kms } from './kms.ts'
import { place, ROOT } from './place.ts'
import type { ToolPaths } from './tools.ts'

/** Where the parts of a running local system answer, and which processes they are. */
export interface System {
  readonly authUrls: readonly string[]
  readonly authMetrics: readonly string[]
  readonly operatorMetrics: string
  readonly operatorPid: number
  readonly authPids: readonly number[]
  readonly databaseUrl: string
  readonly kms: Kms
  readonly mailUrl: string
}

/** What `cardea unwrap` and `cardea check` are told, beside the PATH. */
export function commandEnvironment(
  system: Pick<System, 'authUrls' | 'kms'>,
): Record<string, string> {
  return {
    KUBECONFIG: place.kubeconfig,
    CARDEA_URL: system.authUrls[0] ?? '',
    ...system.kms.settings,
  }
}

/** Writes `.cardea/env`, the file to source. */
export function writeEnvironment(system: System): void {
  const variables = {
    ...commandEnvironment(system),
    CARDEA_URLS: system.authUrls.join(' '),
    CARDEA_OPERATOR_METRICS: system.operatorMetrics,
    CARDEA_AUTH_METRICS: system.authMetrics[0] ?? '',
    CARDEA_AUTH_METRICS_URLS: system.authMetrics.join(' '),
    CARDEA_OPERATOR_PID: String(system.operatorPid),
    CARDEA_AUTH_PIDS: system.authPids.join(' '),
    CARDEA_MAIL_URL: system.mailUrl,
    DATABASE_URL: system.databaseUrl,
    ...system.kms.extras,
  }
  const lines = Object.entries(variables).map(([name, value]) => `export ${name}=${quote(value)}`)
  const bin = quote(place.bin)
  // Sourced again after a restart it changes nothing twice.
  lines.push(`case ":$PATH:" in *:${bin}:*) ;; *) export PATH=${bin}:"$PATH" ;; esac`)
  writePrivate(place.env, `${lines.join('\n')}\n`)
}

/** Makes `.cardea/bin` with kubectl, helm and cardea. */
export function writeCommands(tools: ToolPaths): void {
  rmSync(place.bin, { recursive: true, force: true })
  mkdirSync(place.bin, { recursive: true })
  for (const name of ['kubectl', 'helm'] as const)
    symlinkSync(tools[name], path.join(place.bin, name))
  const cardea = path.join(place.bin, 'cardea')
  const program = path.join(ROOT, 'src', 'main', 'cli.ts')
  writeFileSync(cardea, `#!/bin/sh\nexec ${quote(process.execPath)} ${quote(program)} "$@"\n`)
  chmodSync(cardea, 0o755)
}

/** One word for a POSIX shell, whatever is in it. */
export function quote(value: string): string {
  return `'${value.replaceAll("'", `'\\''`)}'`
}
