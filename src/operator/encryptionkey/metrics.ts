import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { EncryptionKey } from '../../api/v1alpha1/encryptionkey.ts'
import { isReady, isSuspended } from '../../k8s/object.ts'
import type { Progress } from '../rotation/progress.ts'
import type { ProbeObserver } from './history.ts'
import { keyReferenceOf, lineOf } from './reference.ts'

/** What the gauges are read from when the registry is asked. */
export interface MeasuredKeys {
  readonly keys: () => Iterable<EncryptionKey>
  readonly progress: Progress
  readonly leads: () => boolean
}

/** The name that the installation's own key has in the gauge of stale envelopes, without a namespace. */
const defaultName = 'default'

/** The metrics of EncryptionKeys, beside those that every kind has. */
export function encryptionMetrics(
  registry: Registry,
  { keys, progress, leads }: MeasuredKeys,
): ProbeObserver {
  const named = { registers: [registry], labelNames: ['namespace', 'name'] as const }
  const seconds = new Histogram({
    name: 'cardea_encryption_key_probe_seconds',
    help: 'How long it takes to describe a key, to wrap and to unwrap with it.',
    registers: [registry],
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
  })
  const failures = new Counter({
    name: 'cardea_encryption_key_probe_failures_total',
    help: 'Probes of a key that failed, by the reason that its condition gives.',
    registers: [registry],
    labelNames: ['namespace', 'name', 'reason'],
  })
  const last = new Gauge({
    name: 'cardea_encryption_key_last_probe_timestamp_seconds',
    help: 'When a probe of the key last succeeded, in seconds since the epoch.',
    ...named,
  })
  const ready = new Gauge({
    name: 'cardea_encryption_key_ready',
    help: '1 when the key wraps and unwraps, 0 when not; absent when it is suspended.',
    labelNames: named.labelNames,
    registers: [],
    collect() {
      this.reset()
      for (const key of keys()) {
        const { namespace, name } = key.metadata
        if (!isSuspended(key)) this.set({ namespace, name }, isReady(key) ? 1 : 0)
      }
    },
  })
  const stale = new Gauge({
    name: 'cardea_stale_envelopes',
    help: 'Wrapped data keys that are not under the current version of the key yet that should wrap them; of the leader only, and absent until they are counted. Without a namespace: the key of the installation.',
    labelNames: named.labelNames,
    registers: [],
    collect() {
      this.reset()
      if (!leads()) return
      const ofDefault = progress.staleUnder(null)
      if (ofDefault !== undefined) this.set({ name: defaultName }, ofDefault)
      for (const key of keys()) {
        const { namespace, name } = key.metadata
        const count = progress.staleUnder(lineOf(keyReferenceOf(key)), namespace)
        if (count !== undefined) this.set({ namespace, name }, count)
      }
    },
  })
  registry.registerMetric(ready)
  registry.registerMetric(stale)
  const known = new Map<string, Set<string>>()
  return {
    probed(namespace, name, took, reason) {
      seconds.observe(took)
      if (reason === undefined) return last.set({ namespace, name }, Date.now() / 1000)
      failures.inc({ namespace, name, reason })
      const reasons = known.get(`${namespace}/${name}`) ?? new Set()
      known.set(`${namespace}/${name}`, reasons.add(reason))
    },
    forgotten(namespace, name) {
      last.remove({ namespace, name })
      const reasons = known.get(`${namespace}/${name}`) ?? []
      for (const reason of reasons) failures.remove({ namespace, name, reason })
      known.delete(`${namespace}/${name}`)
    },
  }
}
