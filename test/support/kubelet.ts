import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { ROOT } from '../../hack/local/place.ts'
import { freePort } from '../../hack/local/port.ts'
import type { Rendered } from '../chart/helm.ts'
import { get, type Loose } from './kube.ts'

/** A container of a pod template as a process of this machine can be started from it. */
export interface Started {
  /** What node is given: its own options, and the program of this checkout that the image's is made from. */
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Where a port of the container is, by its name. */
  readonly ports: Readonly<Record<string, string>>
  /** The addresses of its probes; empty for none. */
  readonly alive: string
  readonly ready: string
}

/**
 * Does for a workload's first container what a kubelet does: reads the Secrets that it names, mounts their files under
 * `directory`, and tells it where it runs. What only a pod has of its own, its paths and its ports, is replaced.
 */
export async function prepareContainer(workload: Rendered, directory: string): Promise<Started> {
  const { spec } = workload['spec'].template
  const [container] = spec.containers
  const namespace = workload.metadata.namespace ?? ''
  const mounts = await mount(container, spec.volumes ?? [], namespace, directory)
  const moved = new Map<string, string>()
  const ports: Record<string, string> = {}
  for (const { name, containerPort } of container.ports ?? []) {
    const port = await freePort()
    moved.set(String(containerPort), String(port))
    ports[name] = `http://127.0.0.1:${port}`
  }
  const env: Record<string, string> = {}
  for (const variable of container.env) {
    const value = await valueOf(variable, namespace)
    const [mountPath = '', place = ''] = mounts.find(([from]) => value.startsWith(from)) ?? []
    env[variable.name] = `${place}${value.slice(mountPath.length)}`.replace(
      /:([0-9]+)$/,
      (whole, port) => (moved.has(port) ? `:${moved.get(port)}` : whole),
    )
  }
  const probe = ({ httpGet }: Loose = { httpGet: {} }) =>
    httpGet.port ? `${ports[httpGet.port]}${httpGet.path}` : ''
  return {
    args: container.args.map((arg: string) =>
      arg.replace(/^dist\/(.*)\.js$/, (_, program) => path.join(ROOT, 'src', `${program}.ts`)),
    ),
    env,
    ports,
    alive: probe(container.livenessProbe),
    ready: probe(container.readinessProbe),
  }
}

/** Writes what the volumes hold; answers where each mount path is here. */
async function mount(
  container: Loose,
  volumes: Loose,
  namespace: string,
  directory: string,
): Promise<readonly (readonly [mountPath: string, place: string])[]> {
  const places: (readonly [string, string])[] = []
  for (const { name, mountPath } of container.volumeMounts ?? []) {
    const { secret } = volumes.find((volume: Loose) => volume.name === name)
    const place = path.join(directory, 'mounts', name)
    mkdirSync(place, { recursive: true })
    const content = await secretOf(namespace, secret.secretName)
    for (const item of secret.items) {
      writeFileSync(path.join(place, item.path), content[item.key] ?? '')
    }
    places.push([mountPath, place])
  }
  return places
}

async function valueOf({ value, valueFrom }: Loose, namespace: string): Promise<string> {
  if (valueFrom === undefined) return value
  const { secretKeyRef, fieldRef } = valueFrom
  if (secretKeyRef) return (await secretOf(namespace, secretKeyRef.name))[secretKeyRef.key] ?? ''
  return fieldRef.fieldPath === 'metadata.namespace' ? namespace : 'pod-0'
}

async function secretOf(namespace: string, name: string): Promise<Record<string, string>> {
  const secret = await get('secret', namespace, name)
  if (!secret?.data) throw new Error(`the chart wants a Secret ${name} and there is none`)
  const entries = Object.entries(secret.data)
  return Object.fromEntries(
    entries.map(([key, text]) => [key, Buffer.from(text, 'base64').toString()]),
  )
}
