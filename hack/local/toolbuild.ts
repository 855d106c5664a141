import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { run } from './command.ts'
import { holdingLock } from './lock.ts'
import { type Progress, step } from './progress.ts'
import { reaches, type ToolName } from './tool.ts'

const MODULES = path.join(import.meta.dirname, '..', 'tools')
const OLDEST_GO = '1.26'

interface Build {
  /** What the progress line calls it. */
  readonly title: string
  /** The folder of the Go module that pins it. */
  readonly module: string
  readonly packages: Readonly<Partial<Record<ToolName, string>>>
  readonly ldflags: string
}

/** `${XDG_CACHE_HOME:-~/.cache}/cardea/tools/<what the pinned versions hash to>` */
export function toolCache(): string {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}`)
  for (const file of ['go.mod', 'go.sum', 'helm/go.mod', 'helm/go.sum']) {
    hash.update(readFileSync(path.join(MODULES, file)))
  }
  return path.join(cacheFolder(), 'tools', hash.digest('hex').slice(0, 16))
}

/** `${XDG_CACHE_HOME:-~/.cache}/cardea` */
export function cacheFolder(): string {
  return path.join(process.env['XDG_CACHE_HOME'] || path.join(homedir(), '.cache'), 'cardea')
}

/**
 * Builds tools from their pinned Go modules into `cache`. Each appears there complete or not at all; a second builder
 * waits for the first and takes what it built.
 */
export async function buildTools(
  missing: readonly ToolName[],
  cache: string,
  progress: Progress,
): Promise<void> {
  await requireGo(missing)
  mkdirSync(cache, { recursive: true })
  const waiting = (): void =>
    progress.say('Another run is building the cluster tools: waiting for it.')
  await holdingLock(path.join(cache, 'building'), waiting, async () => {
    for (const build of builds()) {
      const wanted = missing.filter(
        (name) => build.packages[name] && !existsSync(path.join(cache, name)),
      )
      if (wanted.length > 0) await buildOne(build, wanted, cache, progress)
    }
  })
}

function builds(): readonly Build[] {
  const version = /k8s\.io\/kubernetes v(\d+)\.(\d+)\.(\d+)/.exec(
    readFileSync(path.join(MODULES, 'go.mod'), 'utf8'),
  )
  if (!version) throw new Error('hack/tools/go.mod names no version of k8s.io/kubernetes')
  const [, major, minor, patch] = version
  // Without these the API server believes that it is v0.0.0 and refuses its own feature gates.
  const stamp = [`gitVersion=v${major}.${minor}.${patch}`, `gitMajor=${major}`, `gitMinor=${minor}`]
    .map((setting) => `-X k8s.io/component-base/version.${setting}`)
    .join(' ')
  return [
    {
      title: 'etcd',
      module: MODULES,
      packages: { etcd: 'go.etcd.io/etcd/server/v3' },
      ldflags: '-s -w',
    },
    {
      title: `Kubernetes ${major}.${minor}.${patch}`,
      module: MODULES,
      packages: {
        'kube-apiserver': 'k8s.io/kubernetes/cmd/kube-apiserver',
        'kube-controller-manager': 'k8s.io/kubernetes/cmd/kube-controller-manager',
        kubectl: 'k8s.io/kubernetes/cmd/kubectl',
      },
      ldflags: `-s -w ${stamp}`,
    },
    {
      title: 'helm',
      module: path.join(MODULES, 'helm'),
      packages: { helm: 'helm.sh/helm/v4/cmd/helm' },
      ldflags: '-s -w',
    },
  ]
}

async function buildOne(
  build: Build,
  wanted: readonly ToolName[],
  cache: string,
  progress: Progress,
): Promise<void> {
  const packages = wanted.flatMap((name) => build.packages[name] ?? [])
  const title = build.title === wanted[0] ? build.title : `${build.title} (${wanted.join(', ')})`
  const target = mkdtempSync(path.join(cache, '.build-'))
  try {
    let downloaded = 0
    const total = await step(
      progress,
      `Fetching the sources of ${title}`,
      () =>
        go(build.module, ['list', '-mod=readonly', '-deps', ...packages], (line) => {
          if (line.includes('downloading')) progress.detail(`${++downloaded} modules`)
        }),
      () => (downloaded > 0 ? `${downloaded} modules` : 'already here'),
    )
    let compiled = 0
    await step(progress, `Building ${title}, once`, () =>
      go(
        build.module,
        [
          'build',
          '-mod=readonly',
          '-trimpath',
          '-v',
          '-ldflags',
          build.ldflags,
          '-o',
          `${target}/`,
          ...packages,
        ],
        () => progress.detail(`${++compiled} of at most ${total.lines} packages`),
      ),
    )
    for (const name of wanted) {
      renameSync(path.join(target, builtName(build.packages[name] ?? name)), path.join(cache, name))
    }
  } finally {
    rmSync(target, { recursive: true, force: true })
  }
}

/** Go names a program by its import path's last element that is not a major version: go.etcd.io/etcd/server/v3 → server. */
function builtName(importPath: string): string {
  return path.basename(importPath.replace(/\/v\d+$/, ''))
}

/** Runs `go`, gives each line of stderr to `onLine`, and answers how many lines stdout had. */
function go(
  cwd: string,
  args: readonly string[],
  onLine: (line: string) => void,
): Promise<{ lines: number }> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, CGO_ENABLED: '0', GOWORK: 'off', GO111MODULE: 'on' }
    const child = spawn('go', args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
    const said: string[] = []
    let lines = 0
    createInterface({ input: child.stdout }).on('line', () => lines++)
    createInterface({ input: child.stderr }).on('line', (line) => {
      said.push(line)
      onLine(line)
    })
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0) return resolve({ lines })
      reject(new Error(`go ${args[0]} failed in ${cwd}:\n${said.slice(-30).join('\n')}`))
    })
  })
}

async function requireGo(missing: readonly ToolName[]): Promise<void> {
  const advice = `Install Go ${OLDEST_GO} or newer (https://go.dev/dl/), or put ${missing.join(', ')} on the PATH.`
  const answer = await run('go', ['env', 'GOVERSION']).catch(() => {
    throw new Error(`Go is needed once, to build the cluster tools, and is not here. ${advice}`)
  })
  const version = answer.trim().replace(/^go/, '')
  if (!reaches(version, OLDEST_GO)) throw new Error(`Go ${version} is too old. ${advice}`)
}
