/** The programs that the local cluster is made of, each with the oldest release that will do. */
export const tools = {
  etcd: { oldest: '3.5', version: ['--version'] },
  'kube-apiserver': { oldest: '1.34', version: ['--version'] },
  'kube-controller-manager': { oldest: '1.34', version: ['--version'] },
  kubectl: { oldest: '1.34', version: ['version', '--client'] },
  helm: { oldest: '4.0', version: ['version', '--template', '{{.Version}}'] },
} as const

export type ToolName = keyof typeof tools

export const names: readonly ToolName[] = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kubectl',
  'helm',
]

/** Whether the first version in a tool's answer is at least `oldest` (major and minor). */
export function reaches(answer: string, oldest: string): boolean {
  const [, major, minor] = /v?(\d+)\.(\d+)/.exec(answer) ?? []
  const [oldestMajor, oldestMinor] = oldest.split('.')
  if (major === undefined || minor === undefined) return false
  if (Number(major) !== Number(oldestMajor)) return Number(major) > Number(oldestMajor)
  return Number(minor) >= Number(oldestMinor)
}
