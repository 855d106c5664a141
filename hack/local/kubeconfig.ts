import { dump } from 'js-yaml'
import type { KubeTarget } from './kuberequest.ts'

/** A kubeconfig, in YAML, with one context named `cardea`. */
export function kubeconfig({ server, ca, token }: KubeTarget): string {
  return dump({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: 'cardea',
        cluster: { server, 'certificate-authority-data': Buffer.from(ca).toString('base64') },
      },
    ],
    users: [{ name: 'cardea', user: { token } }],
    contexts: [{ name: 'cardea', context: { cluster: 'cardea', user: 'cardea' } }],
    'current-context': 'cardea',
  })
}
