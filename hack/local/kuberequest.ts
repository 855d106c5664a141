import { request } from 'node:https'

export interface KubeTarget {
  readonly server: string
  /** PEM of the authority to trust. */
  readonly ca: string
  readonly token: string
}

export interface KubeAnswer {
  readonly status: number
  readonly body: string
}

/**
 * One request to an API server, for the little that starting and testing a cluster needs.
 *
 * @throws when nobody answers within `timeoutMs`; an answer of any status is a value.
 */
export function kubeRequest(
  target: KubeTarget,
  method: string,
  path: string,
  body?: object,
  timeoutMs = 10_000,
): Promise<KubeAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      new URL(path, target.server),
      {
        method,
        ca: target.ca,
        agent: false,
        timeout: timeoutMs,
        headers: {
          authorization: `Bearer ${target.token}`,
          ...(body && { 'content-type': 'application/json' }),
        },
      },
      (incoming) => {
        const chunks: Buffer[] = []
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
        incoming.once('error', reject)
        incoming.once('end', () =>
          resolve({ status: incoming.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
        )
      },
    )
    outgoing.once('timeout', () => outgoing.destroy(new Error(`${target.server} did not answer`)))
    outgoing.once('error', reject)
    outgoing.end(body && JSON.stringify(body))
  })
}
