import type { TestProject } from 'vitest/node'
import type { ControlPlane } from '../../hack/local/controlplane.ts'
import { installCardea } from '../../hack/local/install.ts'
import type { PostgresServer } from '../../hack/local/postgres.ts'
import { terminalProgress } from '../../hack/local/progress.ts'
import { ensureTools, type ToolPaths } from '../../hack/local/tools.ts'
import { startControlPlane, startPostgres } from './servers.ts'
import { makeTemplate } from './template.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    postgres: { readonly superuserUrl: string }
    cluster: {
      readonly server: string
      readonly ca: string
      readonly adminToken: string
      readonly kubeconfig: string
      readonly operatorKubeconfig: string
      readonly auditLogPath: string
    }
    tools: ToolPaths
  }
}

/** Starts the servers that all test files of a project share, and ends them after the last. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const tools = await ensureTools(terminalProgress())
  const starts = await Promise.allSettled([startDatabase(), startCluster(tools, project.name)])
  const stop = async (): Promise<void> => {
    for (const start of starts) if (start.status === 'fulfilled') await start.value.stop()
  }
  const [postgres, cluster] = starts
  if (postgres.status === 'rejected' || cluster.status === 'rejected') {
    await stop()
    throw new AggregateError(
      starts.flatMap((start) => (start.status === 'rejected' ? [start.reason] : [])),
    )
  }
  const { server, ca, adminToken, kubeconfig, operatorKubeconfig, auditLogPath } = cluster.value
  project.provide('postgres', { superuserUrl: postgres.value.superuserUrl('postgres') })
  project.provide('tools', tools)
  project.provide('cluster', {
    server,
    ca,
    adminToken,
    kubeconfig,
    operatorKubeconfig,
    auditLogPath,
  })
  return stop
}

async function startDatabase(): Promise<PostgresServer> {
  const postgres = await startPostgres()
  return orStop(postgres, () => makeTemplate(postgres.superuserUrl('postgres')))
}

async function startCluster(tools: ToolPaths, project: string): Promise<ControlPlane> {
  const cluster = await startControlPlane()
  // The chart's tests bring all of it themselves, through helm.
  if (project === 'chart') return cluster
  return orStop(cluster, () => installCardea(tools, cluster.kubeconfig))
}

async function orStop<T extends { stop(): Promise<void> }>(
  server: T,
  prepare: () => Promise<void>,
): Promise<T> {
  try {
    await prepare()
    return server
  } catch (error) {
    await server.stop()
    throw error
  }
}
