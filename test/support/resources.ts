import { kubeRequest } from '../../hack/local/kuberequest.ts'
import type { KindDefinition } from '../../src/api/v1alpha1/resource.ts'
import type { TestCluster } from './controlplane.ts'

/** What the API server said to a resource. */
interface Verdict {
  readonly admitted: boolean
  /** The fields that it refused, with what it said of them. */
  readonly refusals: readonly Refusal[]
  /** The object as it was admitted, or the Status of the refusal. */
  readonly body: ResourceBody
}

export interface Refusal {
  readonly field: string
  readonly message: string
}

interface ResourceBody {
  readonly metadata: { readonly name: string; readonly resourceVersion: string }
  readonly spec: object
  readonly status?: object
  readonly message?: string
  readonly details?: { readonly causes?: readonly Refusal[] }
}

export interface Resources {
  /** Asks whether a resource would be admitted, and stores nothing. */
  judge(kind: KindDefinition, name: string, spec: object): Promise<Verdict>
  create(kind: KindDefinition, name: string, spec: object): Promise<Verdict>
  /** Puts another spec in the place of the one that is there. */
  replace(kind: KindDefinition, name: string, spec: object): Promise<Verdict>
  /** Puts a status in the place of the one that is there. */
  report(kind: KindDefinition, name: string, status: object): Promise<Verdict>
  read(kind: KindDefinition, name: string): Promise<Verdict>
}

/** Resources of a namespace, as somebody with kubectl's strict field validation sends them. */
export function resourcesIn(cluster: TestCluster, namespace: string): Resources {
  const target = { server: cluster.server, ca: cluster.ca, token: cluster.adminToken }
  const path = (kind: KindDefinition) =>
    `/apis/${kind.group}/${kind.version}/namespaces/${namespace}/${kind.plural}`
  const send = async (method: string, to: string, body?: object): Promise<Verdict> => {
    const answer = await kubeRequest(target, method, to, body)
    const parsed = JSON.parse(answer.body) as ResourceBody
    return { admitted: answer.status < 300, refusals: refusalsOf(parsed), body: parsed }
  }
  const object = (kind: KindDefinition, metadata: object, rest: object) => ({
    apiVersion: `${kind.group}/${kind.version}`,
    kind: kind.kind,
    metadata,
    ...rest,
  })
  const read = (kind: KindDefinition, name: string) => send('GET', `${path(kind)}/${name}`)
  return {
    read,
    judge: (kind, name, spec) =>
      send(
        'POST',
        `${path(kind)}?dryRun=All&fieldValidation=Strict`,
        object(kind, { name }, { spec }),
      ),
    create: (kind, name, spec) =>
      send('POST', `${path(kind)}?fieldValidation=Strict`, object(kind, { name }, { spec })),
    async replace(kind, name, spec) {
      const { metadata } = (await read(kind, name)).body
      return send(
        'PUT',
        `${path(kind)}/${name}?fieldValidation=Strict`,
        object(kind, metadata, { spec }),
      )
    },
    async report(kind, name, status) {
      const { metadata, spec } = (await read(kind, name)).body
      return send('PUT', `${path(kind)}/${name}/status`, object(kind, metadata, { spec, status }))
    },
  }
}

function refusalsOf(body: ResourceBody): readonly Refusal[] {
  if (body.details?.causes) return body.details.causes
  return body.message === undefined ? [] : [{ field: '', message: body.message }]
}
