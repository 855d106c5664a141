import { collectDefaultMetrics, Gauge, type Registry } from 'prom-client'
import { version } from './version.ts'

/** Gauges with a counter's name, which promtool refuses. */
const misnamed = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
]

/** Adds what every program exports: the process, the runtime, and which version it is. */
export function addProcessMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry })
  for (const name of misnamed) registry.removeSingleMetric(name)
  const build = new Gauge({
    name: 'cardea_build_info',
    help: 'The version that runs.',
    labelNames: ['version'],
    registers: [registry],
  })
  build.set({ version }, 1)
}
