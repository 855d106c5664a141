import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import {
  type ControlPlane,
  type ControlPlaneOptions,
  startControlPlane as start,
} from '../../hack/local/controlplane.ts'
import { leashDirectory } from '../../hack/local/leash.ts'
import { type PostgresServer, startPostgres as startServer } from '../../hack/local/postgres.ts'
import { terminalProgress } from '../../hack/local/progress.ts'
import { ensureTools } from '../../hack/local/tools.ts'

/** An empty folder under the system's temporary one. It is gone when the test's process ends. */
export function temporaryDirectory(purpose: string): string {
  const directory = mkdtempSync(path.join(tmpdir(), `cardea-${purpose}-`))
  leashDirectory(directory)
  return directory
}

/**
 * A control plane of the test's own, to restart, pause or break. It and its folder are gone after `stop()`, and when the
 * test's process ends.
 */
export async function startControlPlane(
  directory: string = temporaryDirectory('controlplane'),
  options: Omit<ControlPlaneOptions, 'tools'> = {},
): Promise<ControlPlane> {
  return start(directory, { audit: true, ...options, tools: await ensureTools(terminalProgress()) })
}

/** A PostgreSQL of the test's own, to crash or stop. It is gone after `stop()`, and when the test's process ends. */
export function startPostgres(
  directory: string = temporaryDirectory('postgres'),
): Promise<PostgresServer> {
  return startServer(directory, {})
}
