import { dump } from 'js-yaml'
import { run } from './command.ts'
import { kubectl, SYSTEM_NAMESPACE } from './install.ts'
import { writePrivate } from './keep.ts'
import { place } from './place.ts'
import type { ToolPaths } from './tools.ts'

/**
 * Copies one context of the user's kubeconfig, with all that it needs, to where the local system looks.
 *
 * @throws when there is no such context or its cluster does not answer.
 */
export async function useContext(tools: ToolPaths, context: string): Promise<void> {
  const view = ['config', 'view', '--raw', '--minify', '--flatten', `--context=${context}`]
  const config = await run(tools.kubectl, view).catch(() => {
    throw new Error(`There is no context "${context}". "kubectl config get-contexts" lists them.`)
  })
  writePrivate(place.kubeconfig, config)
  await kubectl(tools, place.kubeconfig, ['version', '--request-timeout=10s'])
}

/** Gives the operator a kubeconfig of its own service account. The token is good for as long as the cluster gives it. */
export async function borrowServiceAccount(tools: ToolPaths): Promise<void> {
  const ask = (...args: readonly string[]): Promise<string> =>
    kubectl(tools, place.kubeconfig, args)
  const [token, view] = await Promise.all([
    ask('create', 'token', 'cardea-operator', `--namespace=${SYSTEM_NAMESPACE}`, '--duration=24h'),
    ask('config', 'view', '--raw', '--output=json'),
  ])
  const config: { contexts: readonly { context: object }[] } = JSON.parse(view)
  const contexts = config.contexts.map((entry) => ({
    ...entry,
    context: { ...entry.context, user: 'cardea-operator' },
  }))
  const users = [{ name: 'cardea-operator', user: { token: token.trim() } }]
  writePrivate(place.operatorKubeconfig, dump({ ...config, contexts, users }))
}
