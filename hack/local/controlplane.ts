import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Daemon, startDaemon, untilReady } from './daemon.ts'
import { kubeconfig } from './kubeconfig.ts'
import { kubeRequest } from './kuberequest.ts'
import { leashDirectory } from './leash.ts'
import { freePort } from './port.ts'
import type { ToolPaths } from './tools.ts'

/** The service account that the chart gives the operator. Its token here makes the chart's RBAC the real one. */
const OPERATOR_USER = 'system:serviceaccount:cardea-system:cardea-operator'

export interface ControlPlaneOptions {
  readonly tools: ToolPaths
  /** The port to serve on where it is free. */
  readonly port?: number
  /** Keep the data through a crash of the machine, and restart what ends unasked. Otherwise everything is throwaway. */
  readonly durable?: boolean
  /** Record every request's metadata in `auditLogPath`. */
  readonly audit?: boolean
  readonly logDirectory?: string
  readonly onStart?: (name: string, pid: number) => void
  readonly onExit?: (name: string, how: string) => void
}

export interface ControlPlane {
  readonly server: string
  readonly port: number
  /** The serving certificate's authority, in PEM. */
  readonly ca: string
  readonly adminToken: string
  /** Path of the cluster administrator's kubeconfig. */
  readonly kubeconfig: string
  /** Path of the operator's kubeconfig: it may what its RBAC says, and nothing else. */
  readonly operatorKubeconfig: string
  /** One JSON audit.k8s.io/v1 Event a line; exists with `audit` only. */
  readonly auditLogPath: string
  stop(): Promise<void>
  /** Ends the API server at once and starts it again on the same port; resolves when it is ready. */
  restartApiServer(): Promise<void>
  /** Freezes the API server: connections stay open and nothing answers. Call the result to go on. */
  pauseApiServer(): () => void
}

/**
 * Starts etcd, kube-apiserver and kube-controller-manager with their data in `directory`, which another start takes up.
 *
 * @throws with the end of the log of the part that failed; nothing is left running then.
 */
export async function startControlPlane(
  directory: string,
  options: ControlPlaneOptions,
): Promise<ControlPlane> {
  const started: Daemon[] = []
  const stop = async (): Promise<void> => {
    // The API server before its store, or it would spend its last seconds retrying.
    for (const daemon of started.toReversed())
      await daemon.stop(options.durable ? 'SIGTERM' : 'SIGKILL')
  }
  try {
    const files = prepare(directory, options.audit ?? false)
    if (!options.durable) leashDirectory(directory)
    const port = await freePort(options.port)
    const launch = (name: keyof ToolPaths, args: readonly string[]): Daemon => {
      const daemon = startDaemon({
        name,
        command: options.tools[name],
        args,
        cwd: directory,
        logFile: path.join(options.logDirectory ?? directory, `${name}.log`),
        stopSignal: options.durable ? 'SIGTERM' : 'SIGKILL',
        keepAlive: options.durable ?? false,
        ...(options.onStart && { onStart: (pid: number) => options.onStart?.(name, pid) }),
        ...(options.onExit && { onExit: (how: string) => options.onExit?.(name, how) }),
      })
      started.push(daemon)
      return daemon
    }

    const socketFolder = mkdtempSync(path.join(tmpdir(), 'cardea-etcd-'))
    leashDirectory(socketFolder)
    const etcd = launch('etcd', etcdArgs(files, socketFolder, options.durable ?? false))
    await untilReady(etcd, async () => existsSync(etcdSocket(socketFolder)))
    const apiServerArgs = kubeApiServerArgs(files, socketFolder, port, options.audit ?? false)
    let apiServer = launch('kube-apiserver', apiServerArgs)
    const server = `https://127.0.0.1:${port}`
    const isReady = async (): Promise<boolean> => {
      if (!existsSync(files.ca)) return false
      const target = { server, ca: readFileSync(files.ca, 'utf8'), token: files.adminToken }
      return (await kubeRequest(target, 'GET', '/readyz')).status === 200
    }
    await untilReady(apiServer, isReady)

    const ca = readFileSync(files.ca, 'utf8')
    const write = (name: string, token: string): string => {
      const place = path.join(directory, name)
      writeFileSync(place, kubeconfig({ server, ca, token }), { mode: 0o600 })
      return place
    }
    const admin = write('kubeconfig', files.adminToken)
    const operator = write('operator.kubeconfig', files.operatorToken)
    launch('kube-controller-manager', kubeControllerManagerArgs(admin))

    return {
      server,
      port,
      ca,
      adminToken: files.adminToken,
      kubeconfig: admin,
      operatorKubeconfig: operator,
      auditLogPath: files.auditLog,
      async stop() {
        await stop()
        rmSync(socketFolder, { recursive: true, force: true })
        if (!options.durable) rmSync(directory, { recursive: true, force: true })
      },
      async restartApiServer() {
        await apiServer.stop('SIGKILL')
        started.splice(started.indexOf(apiServer), 1)
        apiServer = launch('kube-apiserver', apiServerArgs)
        await untilReady(apiServer, isReady)
      },
      pauseApiServer() {
        apiServer.signal('SIGSTOP')
        return () => apiServer.signal('SIGCONT')
      },
    }
  } catch (error) {
    await stop()
    throw error
  }
}

interface Files {
  readonly etcd: string
  readonly certificates: string
  readonly ca: string
  readonly serviceAccountKey: string
  readonly tokens: string
  readonly auditPolicy: string
  readonly auditLog: string
  readonly adminToken: string
  readonly operatorToken: string
}

/** Lays out the folder; what an earlier start left there stays as it is. */
function prepare(directory: string, audit: boolean): Files {
  const at = (name: string): string => path.join(directory, name)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const once = (name: string, content: () => string): string => {
    if (!existsSync(at(name))) writeFileSync(at(name), content(), { mode: 0o600 })
    return at(name)
  }
  const tokens = once('tokens.csv', () =>
    [
      `${randomBytes(32).toString('hex')},admin,admin,"system:masters"`,
      `${randomBytes(32).toString('hex')},${OPERATOR_USER},cardea-operator,"system:serviceaccounts,system:serviceaccounts:cardea-system"`,
      '',
    ].join('\n'),
  )
  const [adminToken = '', operatorToken = ''] = readFileSync(tokens, 'utf8')
    .split('\n')
    .map((line) => line.split(',')[0] ?? '')
  return {
    etcd: at('etcd'),
    certificates: at('certificates'),
    ca: at('certificates/apiserver.crt'),
    serviceAccountKey: once('service-account.key', () => {
      const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
      return privateKey.export({ type: 'pkcs8', format: 'pem' })
    }),
    tokens,
    auditPolicy: audit ? once('audit-policy.yaml', () => AUDIT_POLICY) : '',
    auditLog: at('audit.log'),
    adminToken,
    operatorToken,
  }
}

const AUDIT_POLICY = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{ level: Metadata }]
`

function etcdSocket(socketFolder: string): string {
  return path.join(socketFolder, 'client.sock')
}

function etcdArgs(files: Files, socketFolder: string, durable: boolean): readonly string[] {
  // Unix sockets in a folder of our own: etcd asks nobody who they are, and on a port any local user could be root of
  // this cluster.
  // It will not advertise a socket, so it advertises addresses that nobody, itself included, ever dials.
  return [
    `--data-dir=${files.etcd}`,
    '--name=default',
    `--listen-client-urls=unix://${etcdSocket(socketFolder)}`,
    `--listen-peer-urls=unix://${socketFolder}/peer.sock`,
    '--advertise-client-urls=http://127.0.0.1:2379',
    '--initial-advertise-peer-urls=http://127.0.0.1:2380',
    '--initial-cluster=default=http://127.0.0.1:2380',
    '--auto-compaction-mode=periodic',
    '--auto-compaction-retention=1h',
    ...(durable ? [] : ['--unsafe-no-fsync']),
  ]
}

function kubeApiServerArgs(
  files: Files,
  socketFolder: string,
  port: number,
  audit: boolean,
): readonly string[] {
  return [
    `--etcd-servers=unix://${etcdSocket(socketFolder)}`,
    '--bind-address=127.0.0.1',
    `--secure-port=${port}`,
    // Without an own certificate it makes one for its names and addresses, and the authority that signed it, here.
    `--cert-dir=${files.certificates}`,
    '--endpoint-reconciler-type=none',
    '--service-cluster-ip-range=10.96.0.0/16',
    '--authorization-mode=RBAC',
    // As OpenShift has it: an owner reference that blocks the owner's deletion takes a right of its own.
    '--enable-admission-plugins=OwnerReferencesPermissionEnforcement',
    '--anonymous-auth=false',
    `--token-auth-file=${files.tokens}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${files.serviceAccountKey}`,
    `--service-account-signing-key-file=${files.serviceAccountKey}`,
    '--profiling=false',
    ...(audit
      ? [`--audit-policy-file=${files.auditPolicy}`, `--audit-log-path=${files.auditLog}`]
      : []),
  ]
}

function kubeControllerManagerArgs(admin: string): readonly string[] {
  return [
    `--kubeconfig=${admin}`,
    '--controllers=garbagecollector,namespace,clusterrole-aggregation',
    '--leader-elect=false',
    '--secure-port=0',
    '--kube-api-qps=200',
    '--kube-api-burst=400',
  ]
}
