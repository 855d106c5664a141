import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { load } from 'js-yaml'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ROOT } from '../../hack/local/place.ts'
import { apiKeyEntropy, mintApiKey } from '../../src/domain/apikey.ts'
import { ask, check } from '../support/ask.ts'
import { anAPIKey, anOrganization } from '../support/build/resource.ts'
import { testCluster } from '../support/controlplane.ts'
import { apply, eventually, type Loose, whenReady } from '../support/kube.ts'
import { type MailServer, startMailServer } from '../support/mailserver.ts'
import { checkMetrics, type Prometheus, startPrometheus } from '../support/prometheus.ts'
import { type System, startSystem } from '../support/system.ts'

const alerts = 'charts/cardea/files/alerts.yaml'
const dashboard = 'charts/cardea/files/dashboard.json'
const guide = 'docs/operations/monitoring.md'
const programs = ['operator', 'auth'] as const

let ns: string
let system: System
let mail: MailServer
let prometheus: Prometheus
let metrics: Record<(typeof programs)[number], string>

beforeAll(async () => {
  ns = await testCluster().namespace()
  mail = await startMailServer()
  const authSettings = {
    CARDEA_PUBLIC_URL: 'https://id.acme.example',
    CARDEA_SMTP_URL: `smtp://127.0.0.1:${mail.port}`,
    CARDEA_MAIL_FROM: 'no-reply@acme.example',
  }
  system = await startSystem({ namespaces: [ns], authSettings })
  await traffic()
  metrics = {
    operator: await (await fetch(`${system.operator.probes}/metrics`)).text(),
    auth: await (await fetch(`${system.auth.probes}/metrics`)).text(),
  }
  prometheus = await startPrometheus(system.directory, await configuration())
})
afterAll(async () => {
  await prometheus.daemon.stop()
  await system.stop()
  await mail.stop()
})

/** Something of everything that is counted. */
async function traffic(): Promise<void> {
  const scopes = ['scans:read', 'cardea:introspect']
  await apply(anOrganization(ns, 'acme'), anAPIKey(ns, 'ci', { scopes }), anAPIKey(ns, 'lost', {}))
  await whenReady('apikey', ns, 'ci')
  const key = await system.unwrap(ns, 'ci')
  const { url } = system.auth
  await eventually('it is known', async () => ((await check(url, key)) === 200 ? true : undefined))
  for (const query of ['?scope=scans:read', '?scope=other', '?scope=a&scope=b'])
    await check(url, key, query)
  await check(url, mintApiKey('ck', Buffer.alloc(apiKeyEntropy, 3)))
  const headers = [
    ['x-api-key', key],
    ['content-type', 'application/x-www-form-urlencoded'],
  ] as const
  const introspected = { method: 'POST', headers, body: `token=${key}` }
  expect((await ask(`${url}/oauth2/introspect`, introspected)).json.active).toBe(true)
  await system.sql(`update cardea.organizations set display_name = 'Evil'`)
  await eventually('it is repaired', async () => {
    const [row] = await system.sql('select display_name from cardea.organizations')
    return row?.display_name === 'Acme Inc.' ? true : undefined
  })
}

/** The guide's own configuration, with our processes where a cluster's Services would be. */
async function configuration(): Promise<object> {
  const text = await readFile(guide, 'utf8')
  const [, yaml = ''] = /```yaml\n(rule_files:[^]*?)```/.exec(text) ?? []
  const { scrape_configs: jobs } = load(yaml) as Loose
  const { kubernetes_sd_configs: _discovery, relabel_configs: _labels, ...job } = jobs[0]
  const targets = programs.map((program) => ({
    targets: [new URL(system[program].probes).host],
    labels: { namespace: 'cardea-system', pod: program },
  }))
  return {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: [path.join(ROOT, alerts)],
    scrape_configs: [{ ...job, static_configs: targets }],
  }
}

test.each(programs)('promtool accepts the metrics of the %s without a complaint', async (name) => {
  expect(metrics[name]).toContain('cardea_build_info')
  expect(await checkMetrics(metrics[name])).toBe('')
})

test.each(programs)('a real Prometheus scrapes the %s', async (pod) => {
  const [up] = await eventually('it is scraped', async () => {
    const found = await prometheus.query(`up{pod="${pod}"}`)
    return found.length > 0 ? found : undefined
  })
  expect(up).toMatchObject({ value: 1, metric: { job: 'cardea', namespace: 'cardea-system' } })
})

test('it evaluates every rule, and nothing fires that should not', async () => {
  const { groups } = load(await readFile(alerts, 'utf8')) as Loose
  const names = groups.flatMap(({ rules }: Loose) => rules.map((rule: Loose) => rule.alert))
  const evaluated = await eventually('every rule is evaluated', async () => {
    const { groups: loaded } = await prometheus.api('rules')
    const rules = loaded.flatMap((group: Loose) => group.rules)
    return rules.every((rule: Loose) => rule.health !== 'unknown') ? rules : undefined
  })
  expect(new Set(evaluated.map((rule: Loose) => rule.name))).toEqual(new Set(names))
  const bad = evaluated.filter((rule: Loose) => rule.health !== 'ok' || rule.state === 'firing')
  expect(bad).toEqual([])
})

test('a resource’s series has the resource’s namespace, not the operator’s', async () => {
  const ready = await prometheus.query('max by (kind, namespace, name) (cardea_resource_ready)')
  expect(ready).toContainEqual({
    metric: { kind: 'APIKey', namespace: ns, name: 'ci' },
    value: 1,
  })
})

/** The names in these expressions, less what a histogram adds to them. */
function namesIn(...texts: readonly string[]): readonly string[] {
  const pattern = /\b(cardea|controller_runtime|workqueue|rest_client|process|nodejs)_[a-z_]+/g
  const names = texts.flatMap((text) => text.match(pattern) ?? [])
  return [...new Set(names.map((name) => name.replace(/_(bucket|count|sum)$/, '')))]
}

async function expressions(): Promise<readonly string[]> {
  const { groups } = load(await readFile(alerts, 'utf8')) as Loose
  const rules = groups.flatMap((group: Loose) => group.rules.map((rule: Loose) => rule.expr))
  const panels = JSON.stringify(JSON.parse(await readFile(dashboard, 'utf8')))
  const shown = [...panels.matchAll(/"(?:expr|query)":("(?:[^"\\]|\\.)*")/g)]
  return [...rules, ...shown.map(([, text = '""']): string => JSON.parse(text))]
}

test('every metric of the alerts, the dashboard and the guide is one that the programs have', async () => {
  const all = metrics.operator + metrics.auth
  const named = namesIn(...(await expressions()))
  expect(named.length).toBeGreaterThan(20)
  expect(named.filter((name) => !all.includes(`# TYPE ${name} `))).toEqual([])
})

test('every label that the alerts and the dashboard group by is there', async () => {
  const seen = new Set<string>()
  const wrong: string[] = []
  for (const expression of await expressions()) {
    for (const [, labels = '', inner = ''] of expression.matchAll(
      /by \(([a-z_, ]+)\)\s*\(+(?:\w+\()*((?:cardea|controller_runtime|workqueue)_[a-z_]+)/g,
    )) {
      const [series] = await prometheus.query(`{__name__="${inner}"}`)
      if (!series) continue
      seen.add(inner)
      for (const label of labels.split(', '))
        if (series.metric[label] === undefined) wrong.push(`${inner} has no ${label}`)
    }
  }
  expect(seen.size).toBeGreaterThan(10)
  expect(wrong).toEqual([])
})
