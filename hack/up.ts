import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { chooseKmsKind, type KmsKind, kmsKinds } from './local/kms.ts'
import type { Message } from './local/message.ts'
import { place, shown } from './local/place.ts'
import { elapsed, replayProgress, terminalProgress } from './local/progress.ts'
import { ensurePythonPackages } from './local/pypi.ts'
import { findSupervisor, readReady } from './local/running.ts'
import type { SupervisorOptions } from './local/supervisor.ts'
import { ensureTools } from './local/tools.ts'

const usage = `usage: ./hack/up [--detach] [--auth-replicas N] [--kms NAME] [--context NAME]

Runs the whole of Cardea here: a real Kubernetes API server, PostgreSQL, the operator and the auth service. Applies
manifests/quickstart, waits until all of it is Ready, and makes a checked request with the new API key.

  --detach            return when that is done and leave everything running; ./hack/down stops it
  --auth-replicas N   run N auth services (1)
  --kms NAME          wrap secrets with a key of: local, a key file (the first time it is that); vault, an OpenBao;
                      aws, an emulator of AWS KMS. Later runs go on with what the data were wrapped with
  --context NAME      use the cluster of this context of your kubeconfig (kind, k3d, a real one) instead of
                      building one; the operator, the auth service and PostgreSQL still run here
  --help              print this

Without --detach it stays until Ctrl-C. Data stay in .cardea/ until ./hack/down --purge. What is missing is built
once, into ~/.cache/cardea: the first run takes minutes, a later one seconds.
`

interface Options {
  readonly detach: boolean
  readonly authReplicas: number
  readonly context: string | undefined
  readonly kms: KmsKind | undefined
}

const progress = terminalProgress()

async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args)
  if (!options) {
    process.stdout.write(usage)
    return 0
  }
  if (findSupervisor()) return tellRunning(options)
  const startedAt = Date.now()
  const kms = chooseKmsKind(options.kms)
  const tools = await ensureTools(progress)
  if (kms === 'vault') await ensurePythonPackages('openbao', progress)
  if (kms === 'aws') await ensurePythonPackages('ministack', progress)
  return supervise({ ...options, kms, tools }, startedAt)
}

function readOptions(args: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      detach: { type: 'boolean', default: false },
      'auth-replicas': { type: 'string', default: '1' },
      context: { type: 'string' },
      kms: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return undefined
  const authReplicas = Number(values['auth-replicas'])
  if (!Number.isInteger(authReplicas) || authReplicas < 1 || authReplicas > 16) {
    throw new Error('--auth-replicas takes a number from 1 to 16.')
  }
  const kms = kmsKinds.find((kind) => kind === values.kms)
  if (values.kms !== undefined && !kms) throw new Error(`--kms takes ${kmsKinds.join(', ')}.`)
  return { detach: values.detach, authReplicas, context: values.context, kms }
}

function tellRunning({ authReplicas, context, kms }: Options): number {
  const ready = readReady()
  if (!ready) {
    progress.say('Another ./hack/up is starting it. ./hack/down stops that.')
    return 1
  }
  process.stdout.write(`It is running already.\n\n${ready.addresses}`)
  const differs =
    ready.authReplicas !== authReplicas ||
    ready.context !== context ||
    (kms !== undefined && ready.kms !== kms)
  if (differs) process.stdout.write('\nTo run it differently, stop it first: ./hack/down\n')
  return 0
}

/** Starts the supervisor, shows what it tells, and stays with it unless `detach` is set. */
function supervise(options: SupervisorOptions, startedAt: number): Promise<number> {
  mkdirSync(place.logs, { recursive: true })
  const log = openSync(path.join(place.logs, 'up.log'), 'a', 0o600)
  const script = path.join(import.meta.dirname, 'local', 'supervisor.ts')
  // In a session of its own Ctrl-C does not reach it: it would arrive there twice, once from here.
  const supervisor = spawn(process.execPath, [script, JSON.stringify(options)], {
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
  })
  closeSync(log)
  let interrupted = false
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      interrupted = true
      progress.fail()
      progress.say('Stopping …')
      supervisor.kill('SIGTERM')
    })
  }

  return new Promise((resolve) => {
    let failed = false
    let isReady = false
    supervisor.on('message', (message: Message) => {
      switch (message.kind) {
        case 'progress':
          replayProgress(progress, message.event)
          break
        case 'failed':
          failed = true
          progress.fail()
          progress.say(message.why)
          break
        case 'ready': {
          isReady = true
          const then = options.detach ? './hack/down stops it.' : 'Ctrl-C stops it.'
          process.stdout.write(
            `\nCardea is up after ${elapsed(startedAt)}.\n\n${message.addresses}`,
          )
          process.stdout.write(
            `\n  ${then} The data stay in ${shown(place.home)}/ until ./hack/down --purge.\n`,
          )
          if (!options.detach) break
          supervisor.disconnect()
          supervisor.unref()
          resolve(0)
          break
        }
        default:
          message satisfies never
      }
    })
    supervisor.once('exit', (code) => {
      if (code !== 0 && !failed) progress.say(`It ended; see ${shown(place.logs)}/up.log`)
      resolve(interrupted && !isReady ? 130 : (code ?? 1))
    })
  })
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  progress.fail()
  progress.say(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
}
