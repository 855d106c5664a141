import { randomBytes } from 'node:crypto'
import { inject } from 'vitest'
import { kubectl } from '../../hack/local/install.ts'
import { kubeRequest } from '../../hack/local/kuberequest.ts'

export { startControlPlane } from './servers.ts'

/** The control plane that all test files of the project share: a real API server with Cardea's CRDs and RBAC. */
export interface TestCluster {
  readonly server: string
  /** The serving certificate's authority, in PEM. */
  readonly ca: string
  /** A token of the group system:masters. */
  readonly adminToken: string
  /** Path of the administrator's kubeconfig. */
  readonly kubeconfig: string
  /** Path of the kubeconfig of the operator's service account. */
  readonly operatorKubeconfig: string
  /** One JSON audit.k8s.io/v1 Event a line, of every request so far. */
  readonly auditLogPath: string
  /** Makes a namespace of the caller's own; answers its name. It ends with the control plane. */
  namespace(labels?: Readonly<Record<string, string>>): Promise<string>
  /**
   * Runs kubectl as the administrator and answers its stdout.
   * @throws with what it said on stderr when it fails.
   */
  kubectl(args: readonly string[], options?: KubectlOptions): Promise<string>
}

interface KubectlOptions {
  /** Another kubeconfig than the administrator's. */
  readonly kubeconfig?: string
  /** What `--filename=-` reads. */
  readonly input?: string
}

export function testCluster(): TestCluster {
  const cluster = inject('cluster')
  const tools = inject('tools')
  const target = { server: cluster.server, ca: cluster.ca, token: cluster.adminToken }
  return {
    ...cluster,
    async namespace(labels = {}) {
      const name = `test-${randomBytes(5).toString('hex')}`
      const answer = await kubeRequest(target, 'POST', '/api/v1/namespaces', {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name, labels },
      })
      if (answer.status !== 201)
        throw new Error(`namespace ${name}: ${answer.status} ${answer.body}`)
      return name
    },
    kubectl: (args, { kubeconfig = cluster.kubeconfig, input } = {}) =>
      kubectl(tools, kubeconfig, args, input),
  }
}
