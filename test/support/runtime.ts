import { KubeConfig } from '@kubernetes/client-node'
import { Registry } from 'prom-client'
import { type ClientOptions, KubeClient } from '../../src/k8s/client.ts'
import { Manager, type ManagerOptions } from '../../src/k8s/manager.ts'
import { RuntimeMetrics } from '../../src/k8s/metrics.ts'
import type { Logger } from '../../src/k8s/reconciler.ts'
import { installWidgets } from './widget.ts'

/** A logger that keeps what it was told, and prints nothing. */
export function memoryLogger(): Logger & { readonly lines: { level: string; text: string }[] } {
  const lines: { level: string; text: string }[] = []
  const at = (level: string) => (fields: object, message: string) => {
    const err = 'err' in fields ? String(fields.err) : ''
    lines.push({ level, text: `${message} ${JSON.stringify(fields)} ${err}` })
  }
  return { lines, debug: () => {}, info: at('info'), warn: at('warn'), error: at('error') }
}

export function loadKubeConfig(path: string): KubeConfig {
  const kubeConfig = new KubeConfig()
  kubeConfig.loadFromFile(path)
  return kubeConfig
}

/** A client with the rights of a kubeconfig, on an API server that knows Widgets. */
export async function widgetClient(
  kubeconfig: string,
  options?: ClientOptions,
): Promise<KubeClient> {
  const client = KubeClient.fromKubeConfig(loadKubeConfig(kubeconfig), options)
  await installWidgets(client)
  return client
}

/** A manager with short intervals, leading alone unless it is given a lease. */
export function testManager(
  client: KubeClient,
  options: Partial<ManagerOptions> = {},
): { manager: Manager; registry: Registry; logger: ReturnType<typeof memoryLogger> } {
  const registry = new Registry()
  const logger = memoryLogger()
  const manager = new Manager({
    client,
    logger,
    metrics: new RuntimeMetrics(registry),
    fieldManager: 'test-operator',
    identity: 'test',
    ...options,
  })
  return { manager, registry, logger }
}

/** Waits until `probe` answers something other than undefined or false. */
export async function eventually<T>(
  probe: () => T | Promise<T>,
  what: string,
  timeout = 20_000,
): Promise<Exclude<T, undefined | false>> {
  const end = Date.now() + timeout
  for (;;) {
    const value = await probe()
    if (value !== undefined && value !== false) return value as Exclude<T, undefined | false>
    if (Date.now() > end) throw new Error(`not within ${timeout} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}
