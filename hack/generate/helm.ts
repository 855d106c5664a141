import { execFileSync } from 'node:child_process'

export interface Rendering {
  readonly chart: string
  /** `--set` arguments, without the flag. */
  readonly set?: readonly string[]
}

/**
 * What a chart renders to for people without Helm, in the namespace that the documentation uses.
 * @throws when helm refuses; its own message is in the error
 */
export function renderChart(helm: string, { chart, set = [] }: Rendering): string {
  const release = chart.slice(chart.lastIndexOf('/') + 1)
  const settings = set.flatMap((setting) => ['--set', setting])
  const text = execFileSync(
    helm,
    ['template', release, chart, '--namespace', 'cardea-system', ...settings],
    { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 },
  )
  return text.replaceAll(/^ +(helm\.sh\/chart|app\.kubernetes\.io\/managed-by): .*\n/gm, '')
}

/** The documents of a rendering, without the comments that name their templates. */
export function documents(rendering: string): readonly string[] {
  return rendering
    .split(/^---\n/m)
    .map((text) => text.replaceAll(/^# Source: .*\n/gm, '').trim())
    .filter((text) => text !== '')
}
