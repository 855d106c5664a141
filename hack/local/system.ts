import { copyFileSync } from 'node:fs'
import { borrowServiceAccount, useContext } from './context.ts'
import { startControlPlane } from './controlplane.ts'
import { type DatabaseUrls, prepareDatabase } from './database.ts'
import { writeCommands, writeEnvironment } from './environment.ts'
import { installCardea } from './install.ts'
import { type Kms, type KmsKind, startKms } from './kms.ts'
import { type Mail, startMail } from './mail.ts'
import { place, shown } from './place.ts'
import { freePorts } from './port.ts'
import { startPostgres } from './postgres.ts'
import { type Program, startAuth, startOperator, type Watcher } from './program.ts'
import { type Progress, step } from './progress.ts'
import { applyQuickstart, checkRequest, untilQuickstartReady } from './quickstart.ts'
import { recordProcess } from './running.ts'
import type { ToolPaths } from './tools.ts'

export interface SystemOptions {
  readonly tools: ToolPaths
  readonly authReplicas: number
  /** A context of the user's kubeconfig; undefined builds a cluster here. */
  readonly context: string | undefined
  readonly kms: KmsKind
}

export interface RunningSystem {
  readonly operator: Program
  readonly auths: readonly Program[]
  readonly authUrls: readonly string[]
  /** The API server's address, or which context leads to it. */
  readonly server: string
  readonly postgresPort: number
  readonly kms: Kms
  /** Where captured mail is read. */
  readonly mailUrl: string
  /** What the quickstart's key was allowed, for people. */
  readonly checked: string
}

/**
 * Starts the whole system on the data of the last time, or on none, and proves it with a checked request.
 * `stopDaemons` ends it, and breaks off a start at any moment.
 *
 * @throws with what failed, for people.
 */
export async function startSystem(
  options: SystemOptions,
  progress: Progress,
): Promise<RunningSystem> {
  let isUp = false
  let publish = (): void => {}
  const watcher: Watcher = {
    onStart(name, pid) {
      recordProcess(name, pid)
      publish()
    },
    onExit(name, how) {
      const log = `${shown(place.logs)}/${name}.log`
      if (isUp) progress.say(`${name} ${how} and is started again; see ${log}`)
    },
  }
  writeCommands(options.tools)
  const ports = await choosePorts(options)

  const [[urls, postgresPort], server, kms, mail] = await step(
    progress,
    startTitle(options),
    async () => {
      return Promise.all([
        startDatabase(options, ports('postgres'), watcher),
        startCluster(options, ports('kube-apiserver'), watcher),
        startKms(options.kms, ports, progress, watcher),
        startMail({ smtp: ports('smtp'), http: ports('mail') }, watcher),
      ])
    },
  )
  const [operator, ...auths] = await step(
    progress,
    'Starting the operator and the auth service',
    () => startPrograms({ urls, kms, mail, ports, replicas: options.authReplicas, watcher }),
  )
  const authUrls = auths.flatMap(({ url }) => url ?? [])
  publish = () =>
    writeEnvironment({
      authUrls,
      authMetrics: auths.map(({ metrics }) => metrics),
      operatorMetrics: operator.metrics,
      operatorPid: operator.daemon.pid,
      authPids: auths.map(({ daemon }) => daemon.pid),
      databaseUrl: urls.superuser,
      kms,
      mailUrl: mail.url,
    })
  publish()

  await step(
    progress,
    'Applying manifests/quickstart',
    async () => {
      await applyQuickstart(options.tools)
      return untilQuickstartReady(options.tools, progress)
    },
    (count) => `${count} resources are Ready`,
  )
  const checked = await step(progress, 'Checking a request with the new key', () =>
    checkRequest({ authUrls, kms }),
  )
  isUp = true
  const mailUrl = mail.url
  return { operator, auths, authUrls, server, postgresPort, kms, mailUrl, checked }
}

type Ports = (purpose: string) => number

function choosePorts({ authReplicas, kms }: SystemOptions): Promise<Ports> {
  const usual = new Map([
    ['postgres', 15432],
    ['kube-apiserver', 16443],
    ['operator metrics', 9090],
    ['smtp', 2525],
    ['mail', 8025],
  ])
  if (kms === 'vault') usual.set('openbao', 8200)
  if (kms === 'aws') usual.set('ministack', 4566)
  for (const [position, name] of authNames(authReplicas).entries()) {
    usual.set(name, 8080 + position).set(`${name} metrics`, 9100 + position)
  }
  return freePorts(usual)
}

function authNames(replicas: number): readonly string[] {
  return Array.from({ length: replicas }, (_, position) => `auth-${position}`)
}

function startTitle({ context, kms }: SystemOptions): string {
  const servers = `Starting PostgreSQL${{ local: '', vault: ', OpenBao', aws: ', ministack' }[kms]}`
  return context === undefined
    ? `${servers} and a Kubernetes API server`
    : `${servers} and preparing the cluster of "${context}"`
}

async function startDatabase(
  { context }: SystemOptions,
  port: number,
  watcher: Watcher,
): Promise<readonly [DatabaseUrls, number]> {
  const server = await startPostgres(place.postgres, {
    ...watcher,
    port,
    durable: true,
    logFile: `${place.logs}/postgres.log`,
  })
  // Each cluster has a database of its own: what one declares, the operator of another must not find and repair.
  const name =
    context === undefined ? 'cardea' : `cardea_${context.replaceAll(/[^a-z0-9]+/gi, '_')}`
  return [await prepareDatabase(server, name.slice(0, 63).toLowerCase()), server.port]
}

async function startCluster(
  options: SystemOptions,
  port: number,
  watcher: Watcher,
): Promise<string> {
  const { tools, context } = options
  if (context !== undefined) {
    await useContext(tools, context)
    await installCardea(tools, place.kubeconfig)
    await borrowServiceAccount(tools)
    return `context "${context}"`
  }
  const plane = await startControlPlane(place.controlPlane, {
    ...watcher,
    tools,
    port,
    durable: true,
    logDirectory: place.logs,
  })
  copyFileSync(plane.kubeconfig, place.kubeconfig)
  copyFileSync(plane.operatorKubeconfig, place.operatorKubeconfig)
  await installCardea(tools, place.kubeconfig)
  return plane.server
}

async function startPrograms({
  urls,
  kms,
  mail,
  ports,
  replicas,
  watcher,
}: {
  readonly urls: DatabaseUrls
  readonly kms: Kms
  readonly mail: Mail
  readonly ports: Ports
  readonly replicas: number
  readonly watcher: Watcher
}): Promise<readonly [Program, ...Program[]]> {
  const names = authNames(replicas)
  const publicUrl = `http://127.0.0.1:${ports(names[0] ?? '')}`
  const [operator, ...auths] = await Promise.all([
    startOperator(urls, kms, { metrics: ports('operator metrics') }, watcher),
    ...names.map((name) => {
      const own = { public: ports(name), metrics: ports(`${name} metrics`) }
      return startAuth(urls, { kms, mail }, { name, replicas, publicUrl, ...own }, watcher)
    }),
  ])
  return [operator, ...auths]
}
