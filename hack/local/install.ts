import { readdirSync } from 'node:fs'
import path from 'node:path'
import { run } from './command.ts'
import { ROOT } from './place.ts'
import type { ToolPaths } from './tools.ts'

/** Where the operator keeps its lease, and where its service account lives. */
export const SYSTEM_NAMESPACE = 'cardea-system'

/** The templates of the chart that make its service accounts and say what they may do. */
const TEMPLATES = [
  'serviceaccounts.yaml',
  'operator-rbac.yaml',
  'operator-admissionpolicy.yaml',
  'tenant-clusterroles.yaml',
]

/**
 * Gives a cluster what Cardea needs before it runs: the CRDs, the system namespace, and the chart's own service
 * accounts, RBAC and admission policies. Repeating it changes nothing.
 *
 * @throws with what kubectl or helm said.
 */
export async function installCardea(
  tools: Pick<ToolPaths, 'kubectl' | 'helm'>,
  kubeconfig: string,
): Promise<void> {
  const crds = crdFiles()
  await apply(tools, kubeconfig, crds)
  const [, rendered] = await Promise.all([
    kubectl(tools, kubeconfig, ['wait', '--for=condition=Established', ...crds]),
    run(tools.helm, [
      'template',
      'cardea',
      path.join(ROOT, 'charts', 'cardea'),
      `--namespace=${SYSTEM_NAMESPACE}`,
      // Whether an APIKey gets one here, the operator's own setting says.
      '--set=operator.allowPlainSecrets=true',
      ...TEMPLATES.map((template) => `--show-only=templates/${template}`),
    ]),
  ])
  const namespace = `apiVersion: v1\nkind: Namespace\nmetadata: { name: ${SYSTEM_NAMESPACE} }\n`
  await apply(tools, kubeconfig, ['--filename=-'], `${namespace}---\n${rendered}`)
}

function crdFiles(): readonly string[] {
  const folder = path.join(ROOT, 'crds')
  return readdirSync(folder)
    .filter((file) => file.startsWith('cardea.dev_'))
    .map((file) => `--filename=${path.join(folder, file)}`)
}

/** Applies manifests on the server's side, under a field manager of our own. */
export async function apply(
  tools: Pick<ToolPaths, 'kubectl'>,
  kubeconfig: string,
  sources: readonly string[],
  input?: string,
): Promise<void> {
  const options = ['--server-side', '--force-conflicts', '--field-manager=cardea-local']
  await kubectl(tools, kubeconfig, ['apply', ...options, ...sources], input)
}

/**
 * Runs kubectl and answers its stdout.
 *
 * @throws with what it said on stderr when it fails.
 */
export function kubectl(
  tools: Pick<ToolPaths, 'kubectl'>,
  kubeconfig: string,
  args: readonly string[],
  input?: string,
): Promise<string> {
  const options = input === undefined ? {} : { input }
  // What kubectl remembers of a server goes by its port, which another cluster may have had before.
  const cache = `--cache-dir=${path.join(path.dirname(kubeconfig), 'kubectl-cache')}`
  return run(tools.kubectl, [`--kubeconfig=${kubeconfig}`, cache, ...args], options)
}
