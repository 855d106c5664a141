import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { load } from 'js-yaml'
import { expect, test } from 'vitest'
import { find, render } from './helm.ts'

const run = promisify(execFile)
const file = 'charts/cardea/files/alerts.yaml'
const runbooks = 'docs/operations/runbooks'

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly labels: { readonly severity: string }
  readonly annotations: Readonly<Record<string, string>>
}

interface Groups {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[]
}

async function rules(): Promise<readonly Rule[]> {
  const { groups } = load(await readFile(file, 'utf8')) as Groups
  return groups.flatMap((group) => group.rules)
}

test('promtool accepts the rules', async () => {
  const { stdout } = await run('promtool', ['check', 'rules', file])
  expect(stdout).toContain(`SUCCESS: ${(await rules()).length} rules found`)
})

test('each alert fires where it should and nowhere else', async () => {
  const { stdout } = await run('promtool', ['test', 'rules', 'config/prometheus/alerts_test.yaml'])
  expect(stdout).toContain('SUCCESS')
})

test('each alert has a test in which it fires', async () => {
  const tests = load(await readFile('config/prometheus/alerts_test.yaml', 'utf8')) as {
    tests: { alert_rule_test: { alertname: string; exp_alerts: object[] }[] }[]
  }
  const fired = tests.tests
    .flatMap((one) => one.alert_rule_test)
    .filter(({ exp_alerts: expected }) => expected.length > 0)
  const names = (await rules()).map(({ alert }) => alert)
  expect(new Set(fired.map(({ alertname }) => alertname))).toEqual(new Set(names))
})

test('each alert has a runbook, and each runbook an alert', async () => {
  const all = await rules()
  for (const { alert, labels, annotations } of all) {
    expect(['warning', 'critical'], alert).toContain(labels.severity)
    expect(annotations['runbook_url']).toBe(`https://cardea.dev/${runbooks}/${alert}.md`)
    const runbook = await readFile(`${runbooks}/${alert}.md`, 'utf8')
    expect(runbook).toMatch(new RegExp(`^# ${alert}\n`))
    for (const section of ['## What it means', '## What to do']) expect(runbook).toContain(section)
  }
  const names = (await readdir(runbooks)).filter((name) => name !== 'README.md')
  expect(names.toSorted()).toEqual(all.map(({ alert }) => `${alert}.md`).toSorted())
})

test('the chart brings the same rules, with the runbooks where they are said to be', () => {
  const objects = render({
    'monitoring.prometheusRule.enabled': true,
    'monitoring.prometheusRule.runbookUrl': 'https://wiki.acme.example/cardea',
  })
  const { groups } = find(objects, 'PrometheusRule', 'cardea-alerts')['spec'] as Groups
  const urls = groups.flatMap((group) =>
    group.rules.map(({ annotations }) => annotations['runbook_url']),
  )
  expect(urls.length).toBeGreaterThan(10)
  for (const url of urls)
    expect(url).toMatch(/^https:\/\/wiki\.acme\.example\/cardea\/Cardea\w+\.md$/)
})

/** The names of the metrics in these expressions. */
function metricsIn(text: string): readonly string[] {
  const names = text.match(/\b(cardea|controller_runtime|workqueue)_[a-z_]+/g) ?? []
  return [...new Set(names.map((name) => name.replace(/_(bucket|count|sum)$/, '')))]
}

test('every metric of the alerts and of the dashboard is one that the programs have', async () => {
  const dashboard = await readFile('charts/cardea/files/dashboard.json', 'utf8')
  const expressions = [...(await rules()).map(({ expr }) => expr), dashboard].join('\n')
  const known = await programs()
  const unknown = metricsIn(expressions).filter((name) => !known.includes(`'${name}'`))
  expect(unknown).toEqual([])
})

test('every metric of the programs is on the page about monitoring', async () => {
  const page = await readFile('docs/operations/monitoring.md', 'utf8')
  // `cardea_reflector_{relists,watch_errors}_total` is two; braces at the end are labels.
  const told = new Set(
    [...page.matchAll(/`(cardea_\w+)(?:\{([\w,]+)\}(\w+))?/g)].flatMap(
      ([, start = '', middle, end = '']) =>
        middle === undefined ? [start] : middle.split(',').map((part) => start + part + end),
    ),
  )
  const metrics = (await programs()).matchAll(/(?:name: |[a-z]\(registry, )'(cardea_[a-z_]+)'/g)
  const names = [...metrics].map(([, name = '']) => name)
  expect(names.length).toBeGreaterThan(30)
  expect(names.filter((name) => !told.has(name))).toEqual([])
})

/** The source text of the programs. */
async function programs(): Promise<string> {
  const sources = await readdir('src', { recursive: true })
  const texts = await Promise.all(
    sources
      .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
      .map((name) => readFile(`src/${name}`, 'utf8')),
  )
  return texts.join('\n')
}
