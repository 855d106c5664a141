import path from 'node:path'
import { type Daemon, startDaemon, untilReady } from './daemon.ts'
import type { DatabaseUrls } from './database.ts'
import type { Kms } from './kms.ts'
import type { Mail } from './mail.ts'
import { nodeFlags } from './nodeflags.ts'
import { place, ROOT } from './place.ts'

/** What is told when a part starts and when it ends unasked. */
export interface Watcher {
  onStart(name: string, pid: number): void
  onExit(name: string, how: string): void
}

export interface OperatorPorts {
  readonly metrics: number
}

export interface AuthReplica {
  readonly name: string
  /** How many there are together. */
  readonly replicas: number
  readonly public: number
  readonly metrics: number
  /** Where people reach all of them: the first one's own base. */
  readonly publicUrl: string
}

/** A program of Cardea's own, as a process, and where it answers. */
export interface Program {
  readonly daemon: Daemon
  /** The public base address, which the operator does not have. */
  readonly url: string | undefined
  /** The full address of its metrics. */
  readonly metrics: string
}

/**
 * Starts the operator with nothing but its service account's rights, and waits until it is ready.
 *
 * @throws with the end of its log when it does not become ready.
 */
export async function startOperator(
  urls: DatabaseUrls,
  kms: Kms,
  ports: OperatorPorts,
  watcher: Watcher,
): Promise<Program> {
  const settings = {
    KUBECONFIG: place.operatorKubeconfig,
    CARDEA_DATABASE_URL: urls.operator,
    ...kms.settings,
    CARDEA_METRICS_LISTEN: `127.0.0.1:${ports.metrics}`,
  }
  return startProgram('operator', 'operator', settings, ports, watcher)
}

/**
 * Starts one auth service and waits until it is ready.
 *
 * @throws with the end of its log when it does not become ready.
 */
export async function startAuth(
  urls: DatabaseUrls,
  { kms, mail }: { readonly kms: Kms; readonly mail: Mail },
  replica: AuthReplica,
  watcher: Watcher,
): Promise<Program> {
  const settings = {
    CARDEA_DATABASE_URL: urls.auth,
    ...kms.settings,
    CARDEA_LISTEN: `127.0.0.1:${replica.public}`,
    CARDEA_METRICS_LISTEN: `127.0.0.1:${replica.metrics}`,
    CARDEA_REPLICA_ID: replica.name,
    CARDEA_MIN_REPLICAS: String(replica.replicas),
    CARDEA_PUBLIC_URL: replica.publicUrl,
    CARDEA_SELF_SERVICE: 'true',
    ...mail.settings,
    // No load balancer has to notice that it goes.
    CARDEA_DRAIN_DELAY: '0s',
  }
  return startProgram(replica.name, 'auth', settings, replica, watcher)
}

async function startProgram(
  name: string,
  part: keyof typeof nodeFlags,
  settings: Readonly<Record<string, string>>,
  ports: OperatorPorts | AuthReplica,
  watcher: Watcher,
): Promise<Program> {
  const daemon = startDaemon({
    name,
    command: process.execPath,
    args: [...nodeFlags[part], path.join(ROOT, 'src', 'main', `${part}.ts`)],
    cwd: ROOT,
    env: { ...process.env, ...settings },
    logFile: path.join(place.logs, `${name}.log`),
    graceMs: 25_000,
    keepAlive: true,
    onStart: (pid) => watcher.onStart(name, pid),
    onExit: (how) => watcher.onExit(name, how),
  })
  const base = `http://127.0.0.1:${ports.metrics}`
  try {
    await untilReady(daemon, async () => (await fetch(`${base}/readyz`)).ok, 60_000)
  } catch (error) {
    await daemon.stop()
    throw error
  }
  const url = 'public' in ports ? `http://127.0.0.1:${ports.public}` : undefined
  return { daemon, url, metrics: `${base}/metrics` }
}
