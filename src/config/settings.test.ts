import { globSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { readAuthConfig } from './auth.ts'
import type { Environment } from './environment.ts'
import { readMigrateConfig } from './migrate.ts'
import { readOperatorConfig } from './operator.ts'

const page = readFileSync('docs/operations/settings.md', 'utf8')

/** The variables that have a row, by the heading that they are below. */
const sections = new Map(
  page.split(/^## /m).map((section) => {
    const rows = section.matchAll(/^\| `(CARDEA_[A-Z0-9_]+)` \|/gm)
    return [section.split('\n', 1)[0] ?? '', [...rows].map(([, name = '']) => name)]
  }),
)

test('every variable that the programs are told something by is on the page, and no other', () => {
  const sources = globSync('src/config/*.ts', { exclude: (path) => path.endsWith('.test.ts') })
  const text = sources.map((path) => readFileSync(path, 'utf8')).join('\n')
  const declared = text.match(/(?<=^ {2,4})CARDEA_[A-Z0-9_]+(?=: )/gm) ?? []
  expect(new Set(declared).size).toBeGreaterThan(30)
  expect([...new Set([...sections.values()].flat())].toSorted()).toEqual(
    [...new Set(declared)].toSorted(),
  )
})

test.each([
  ['The operator', (environment: Environment) => readOperatorConfig(environment, 'host')],
  ['The auth service', (environment: Environment) => readAuthConfig(environment, 'host')],
  ['The migration', readMigrateConfig],
])('%s has the variables that it reads', (heading, read) => {
  const names = new Set<string>()
  const environment = new Proxy<Environment>({}, { get: (_, name) => void names.add(String(name)) })
  expect(() => read(environment)).toThrow('CARDEA_DATABASE_URL')
  const shared = sections.get('The key managers') ?? []
  const own = [...names].filter((name) => !shared.includes(name))
  expect(sections.get(heading)?.toSorted()).toEqual(own.toSorted())
})
