import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { type MailOutcome, mailOutcomes } from './delivery.ts'

/** What is exported of the delivery of mail. No metric says who a mail is to. */
export class MailStatistics {
  /** How much waited when it was last looked at, in all replicas together. */
  backlog: { readonly queued: number; readonly oldest: Date | undefined } = {
    queued: 0,
    oldest: undefined,
  }
  readonly #mails: Counter
  readonly #seconds: Histogram

  constructor(registry: Registry) {
    const registers = [registry]
    this.#mails = new Counter({
      name: 'cardea_mails_total',
      help: 'Mails that were taken from the queue, by how that ended: for good, or for now (deferred, unreachable).',
      labelNames: ['outcome'],
      registers,
    })
    // There from the start, so that the first rise is seen.
    for (const outcome of mailOutcomes) this.#mails.inc({ outcome }, 0)
    this.#seconds = new Histogram({
      name: 'cardea_mail_delivery_seconds',
      help: 'How long it took to hand a mail over to the server, its look-up included.',
      buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20],
      registers,
    })
    const read = (): MailStatistics['backlog'] => this.backlog
    const queued = new Gauge({
      name: 'cardea_mail_queue_length',
      help: 'Mails that wait to be sent, of all tenants; every replica says the same.',
      registers: [],
      collect() {
        this.set(read().queued)
      },
    })
    const oldest = new Gauge({
      name: 'cardea_mail_queue_oldest_seconds',
      help: 'For how long the eldest mail of the queue has waited; 0 when none does.',
      registers: [],
      collect() {
        const since = read().oldest
        this.set(since ? Math.max(0, (Date.now() - since.getTime()) / 1000) : 0)
      },
    })
    for (const gauge of [queued, oldest]) registry.registerMetric(gauge)
  }

  count(outcome: MailOutcome, seconds: number): void {
    this.#mails.inc({ outcome })
    if (outcome === 'sent') this.#seconds.observe(seconds)
  }
}
