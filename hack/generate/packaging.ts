import { readFile } from 'node:fs/promises'
import { load } from 'js-yaml'
import { argocdConfig } from './argocd.ts'
import { valuesTable, withValuesTable } from './chartvalues.ts'
import { bareCrd, crdTemplate } from './crdchart.ts'
import { renderInstall } from './install.ts'
import { kustomization, renderBases } from './kustomize.ts'

/**
 * Everything under charts/, config/ and manifests/ that is generated, by path.
 * @param helm where the helm program is
 * @param crds the files of crds/, by name (without the folder)
 * @param kinds the kinds, as they are written in YAML
 */
export async function packaging(
  helm: string,
  crds: ReadonlyMap<string, string>,
  kinds: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ...[...crds].map(([name, crd]): [string, string] => [
      `charts/cardea-crds/templates/${name}`,
      crdTemplate(crd),
    ]),
    ['crds/kustomization.yaml', kustomization([...crds.keys()])],
    ['config/argocd/argocd-cm.yaml', argocdConfig(await read('config/argocd/health.lua'), kinds)],
    ...renderBases(helm),
    [
      'manifests/install.yaml',
      renderInstall(
        helm,
        await read('config/default/namespace.yaml'),
        [...crds.values()].map(bareCrd),
      ),
    ],
    ['charts/cardea/README.md', await readme()],
  ])
}

async function readme(): Promise<string> {
  const schema = JSON.parse(await read('charts/cardea/values.schema.json')) as object
  const values = load(await read('charts/cardea/values.yaml')) as object
  return withValuesTable(await read('charts/cardea/README.md'), valuesTable(schema, values))
}

function read(path: string): Promise<string> {
  return readFile(path, 'utf8')
}
