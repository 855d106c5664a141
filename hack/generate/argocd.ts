/**
 * The ConfigMap argocd-cm with the health check for every kind: one key a kind, because they merge with those that are
 * there, while one key for all (`resource.customizations`) would replace them.
 * @param script config/argocd/health.lua
 */
export function argocdConfig(script: string, kinds: readonly string[]): string {
  const lines = script.trimEnd().split('\n')
  const block = lines.map((line) => (line === '' ? '' : `    ${line}`)).join('\n')
  const key = (kind: string) => `  resource.customizations.health.cardea.dev_${kind}:`
  const [first, ...others] = kinds.toSorted()
  return `# Generated from health.lua. Merge it into the ConfigMap of your Argo CD; README.md says how.
apiVersion: v1
kind: ConfigMap
metadata:
  name: argocd-cm
  namespace: argocd
  labels:
    app.kubernetes.io/name: argocd-cm
    app.kubernetes.io/part-of: argocd
data:
${key(first ?? '')} &health |
${block}
${others.map((kind) => `${key(kind)} *health`).join('\n')}
`
}
