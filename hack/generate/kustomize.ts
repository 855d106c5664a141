import { load } from 'js-yaml'
import { documents, renderChart } from './helm.ts'

interface Manifest {
  readonly kind: string
  readonly metadata: { readonly labels: Readonly<Record<string, string>> }
}

const everything = [
  'migrate.hook=false',
  'monitoring.serviceMonitor.enabled=true',
  'monitoring.prometheusRule.enabled=true',
  'monitoring.grafanaDashboard.enabled=true',
]

/** The kustomize bases of config/, cut out of what the chart renders to, by path. */
export function renderBases(helm: string): ReadonlyMap<string, string> {
  const bases = new Map<string, string[]>()
  for (const document of documents(
    renderChart(helm, { chart: 'charts/cardea', set: everything }),
  )) {
    const base = baseOf(load(document) as Manifest)
    bases.set(base, [...(bases.get(base) ?? []), document])
  }
  const files = [...bases].flatMap(([base, texts]): [string, string][] => [
    [
      `config/${base}/${base}.yaml`,
      `# Generated from charts/cardea; never edited.\n${list(texts)}`,
    ],
    [`config/${base}/kustomization.yaml`, kustomization([`${base}.yaml`])],
  ])
  return new Map(files)
}

/** A kustomization that takes these files of its own folder. */
export function kustomization(resources: readonly string[]): string {
  return `# Generated; never edited.
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
${resources.map((resource) => `  - ${resource}\n`).join('')}`
}

function baseOf({ kind, metadata }: Manifest): string {
  if (kind === 'ServiceMonitor' || kind === 'PrometheusRule') return 'prometheus'
  const component = metadata.labels['app.kubernetes.io/component'] ?? ''
  if (component === 'dashboard') return 'grafana'
  return component === 'tenant' || /Role|AdmissionPolicy/.test(kind) ? 'rbac' : component
}

function list(texts: readonly string[]): string {
  return texts.map((text) => `---\n${text}\n`).join('')
}
