/** What a suite needs that npm did not install. */
export type Need = 'cluster tools' | 'key managers' | 'prometheus' | 'redis' | 'nginx'

interface Described {
  readonly name: string
  /** What passing it means, in a line. */
  readonly about: string
  readonly needs: readonly Need[]
}

/** A program whose exit code is the verdict; it counts as one test. */
export interface Check extends Described {
  readonly command: readonly [string, ...string[]]
}

/** A vitest project of the same name. */
export type Project = Described

const bin = (name: string): string => `node_modules/.bin/${name}`

export const checks: readonly Check[] = [
  {
    name: 'format',
    about: 'Biome would change nothing',
    needs: [],
    command: [bin('biome'), 'ci', '--colors=off', '.'],
  },
  {
    name: 'lint',
    about: 'oxlint finds no fault, no floating promise and no import against the directions',
    needs: [],
    command: [bin('oxlint'), '--type-aware', '--deny-warnings'],
  },
  { name: 'types', about: 'TypeScript agrees', needs: [], command: [bin('tsc'), '--noEmit'] },
  {
    name: 'unused',
    about: 'knip finds no dead file, export or dependency',
    needs: [],
    command: [bin('knip')],
  },
  {
    name: 'generated',
    about: 'CRDs, reference pages and manifests are what their sources give',
    needs: ['cluster tools'],
    command: [process.execPath, 'hack/generate.ts', '--check'],
  },
]

export const projects: readonly Project[] = [
  { name: 'unit', about: 'the parts alone, each test beside its file', needs: [] },
  {
    name: 'chart',
    about: 'the charts on a real API server, the alert rules, the Argo CD health check',
    needs: ['cluster tools', 'prometheus'],
  },
  {
    name: 'integration',
    about: 'the parts on a real PostgreSQL and a real API server',
    needs: ['cluster tools', 'key managers', 'nginx', 'redis'],
  },
  {
    name: 'e2e',
    about: 'the whole system: operator and auth replicas as processes',
    needs: ['cluster tools', 'key managers', 'prometheus'],
  },
]

/**
 * The suites that the names choose; all of them for no name.
 *
 * @throws when a name is none of them.
 */
export function choose(chosen: readonly string[]): {
  readonly checks: readonly Check[]
  readonly projects: readonly Project[]
} {
  const known = [...checks, ...projects].map(({ name }) => name)
  const stranger = chosen.find((name) => !known.includes(name))
  if (stranger !== undefined) {
    throw new Error(`There is no suite "${stranger}". The suites are ${known.join(', ')}.`)
  }
  const isChosen = ({ name }: Described): boolean => chosen.length === 0 || chosen.includes(name)
  return { checks: checks.filter(isChosen), projects: projects.filter(isChosen) }
}
