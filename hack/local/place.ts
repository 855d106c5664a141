import path from 'node:path'

/** The checkout. */
export const ROOT = path.join(import.meta.dirname, '..', '..')

const HOME = path.join(ROOT, '.cardea')
const at = (name: string): string => path.join(HOME, name)

/** Where the local system keeps everything: `.cardea/`, which git ignores. */
export const place = {
  home: HOME,
  bin: at('bin'),
  /** The file to `source`. */
  env: at('env'),
  logs: at('logs'),
  controlPlane: at('controlplane'),
  postgres: at('postgres'),
  /** The administrator's kubeconfig, whichever the cluster. */
  kubeconfig: at('kubeconfig'),
  operatorKubeconfig: at('operator.kubeconfig'),
  kmsKey: at('kms.key'),
  /** Which key management the data are wrapped with. */
  kms: at('kms'),
  openbao: at('openbao'),
  ministack: at('ministack'),
  passwords: at('passwords.json'),
  /** The mails that were captured. */
  mail: at('mail.json'),
  processes: at('processes.json'),
  /** Held by the supervisor while it lives. */
  lock: at('lock'),
  /** What is told when it is ready; there only while it is. */
  ready: at('ready.json'),
} as const

/** A path as a person in the checkout would write it. */
export function shown(file: string): string {
  return path.relative(ROOT, file)
}
