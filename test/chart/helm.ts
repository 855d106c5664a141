import { execFile, execFileSync } from 'node:child_process'
import { promisify } from 'node:util'
import { loadAll } from 'js-yaml'
import { inject } from 'vitest'

const run = promisify(execFile)

export const chart = 'charts/cardea'

export interface Rendered {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly labels: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  // Helm's output is untyped; each test reads the fields that it is about.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly [field: string]: any
}

/** Values as a `--set-json` argument each: `{ 'auth.replicas': 3 }`. */
export type Values = Readonly<Record<string, unknown>>

export function valueArguments(values: Values): readonly string[] {
  return Object.entries(values).flatMap(([name, value]) => [
    '--set-json',
    `${name}=${JSON.stringify(value)}`,
  ])
}

/** What the chart makes of these values. Throws with helm's words. */
export function render(values: Values = {}): readonly Rendered[] {
  const yaml = execFileSync(
    inject('tools').helm,
    ['template', 'cardea', chart, '--namespace', 'cardea-system', ...valueArguments(values)],
    { encoding: 'utf8', stdio: 'pipe' },
  )
  return objectsOf(yaml)
}

/** What helm says after an installation with these values. */
export function notes(values: Values = {}): string {
  const said = execFileSync(
    inject('tools').helm,
    ['install', 'cardea', chart, '--dry-run=client', ...valueArguments(values)],
    { encoding: 'utf8', stdio: 'pipe' },
  )
  return said.slice(said.indexOf('NOTES:'))
}

export function objectsOf(yaml: string): readonly Rendered[] {
  return loadAll(yaml).filter((object): object is Rendered => Boolean(object))
}

export function find(objects: readonly Rendered[], kind: string, name: string): Rendered {
  const found = objects.find((object) => object.kind === kind && object.metadata.name === name)
  if (!found) throw new Error(`no ${kind} ${name} was rendered`)
  return found
}

/** Everything that makes pods, with its pod template. */
export function workloads(objects: readonly Rendered[]): readonly Rendered[] {
  return objects.filter(({ kind }) => kind === 'Deployment' || kind === 'Job')
}

/** Runs helm against the test's cluster. Throws with helm's words. */
export function helm(args: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  const { kubeconfig } = inject('cluster')
  return run(inject('tools').helm, ['--kubeconfig', kubeconfig, ...args])
}
