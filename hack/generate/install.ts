import { documents, renderChart } from './helm.ts'

/**
 * manifests/install.yaml: both charts with their defaults, for `kubectl apply --server-side -f`. The migration is an
 * ordinary Job there, because kubectl knows no hooks.
 * @param namespace the namespace's text
 * @param crds the CRDs' texts
 */
export function renderInstall(helm: string, namespace: string, crds: readonly string[]): string {
  const cardea = renderChart(helm, { chart: 'charts/cardea', set: ['migrate.hook=false'] })
  const all = [namespace, ...crds, ...documents(cardea)]
  const header =
    '# Generated from charts/cardea and crds/; never edited. docs/operations/install.md says what must exist first.\n'
  return header + all.map((document) => `---\n${document.trim()}\n`).join('')
}
