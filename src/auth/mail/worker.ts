import type { Queryable } from '../../db/credentialindex.ts'
import { type ClaimedMail, claimMails, mailBacklog } from '../../db/mail.ts'
import { outagePause } from '../../domain/mailretry.ts'
import { type AuthLog, reasonOf } from '../log.ts'
import type { MailDelivery, MailOutcome, MailReport } from './delivery.ts'
import type { MailStatistics } from './statistics.ts'

export interface MailWorkerOptions {
  readonly db: Queryable
  readonly delivery: Pick<MailDelivery, 'deliver' | 'giveBack'>
  readonly statistics: MailStatistics
  readonly log: AuthLog
  /** Mails at once. */
  readonly concurrency: number
  /** Seconds for which a mail is ours: longer than any delivery takes. */
  readonly lease: number
  /** Milliseconds after which the queue is looked at, when nobody says that something came. */
  readonly interval: number
  /** Milliseconds between two looks at how much waits. */
  readonly backlogInterval: number
}

/** Milliseconds from a waking to the look: every request of people wakes, whether it wrote a mail or not, and a storm of them is one look. */
const gathering = 25

/** How mails end that never come to the server. */
const dropping: ReadonlySet<MailOutcome> = new Set(['unwanted', 'expired'])

/**
 * Takes mails from the queue of all tenants and has them delivered, a few at a time. Every replica has one, and each mail is
 * taken by one of them. While the server is away, one mail now and then is tried, and the others wait in PostgreSQL.
 */
export class MailWorker {
  readonly #options: MailWorkerOptions
  #stopping = false
  #woken = Promise.withResolvers<void>()
  #running: Promise<void> | undefined
  /** Rounds in a row in which the server was not reached. */
  #failures = 0
  #backlogAt = Number.NEGATIVE_INFINITY

  constructor(options: MailWorkerOptions) {
    this.#options = options
  }

  /** Has the queue looked at soon. */
  wake(): void {
    this.#woken.resolve()
  }

  start(): void {
    this.#running ??= this.#run()
  }

  /** Takes no more mails, and lets what is under way come to its end. Never rejects. */
  async stop(): Promise<void> {
    this.#stopping = true
    this.wake()
    await this.#running
  }

  async #run(): Promise<void> {
    const { concurrency, interval } = this.#options
    while (!this.#stopping) {
      const most = this.#failures > 0 ? 1 : concurrency
      const found = await this.#round(most)
      if (this.#stopping) return
      if (this.#failures > 0 && found !== 'dropped') {
        await this.#rest(outagePause(this.#failures, Math.random()), false)
      } else if (found !== 'dropped' && found < most) {
        await this.#rest(interval * (0.75 + 0.5 * Math.random()), true)
      }
    }
  }

  /** @returns how many mails there were; `dropped` when none of them was for the server, so that there is no reason to rest */
  async #round(most: number): Promise<number | 'dropped'> {
    const { db, lease, log } = this.#options
    // From here on: what came before is seen by this look.
    this.#woken = Promise.withResolvers()
    try {
      const claimed = await claimMails(db, lease, most)
      const reports = await Promise.all(claimed.map((mail) => this.#deliver(mail)))
      this.#judge(reports)
      await this.#lookAtBacklog()
      const dropped = reports.every((report) => report && dropping.has(report.outcome))
      return reports.length > 0 && dropped ? 'dropped' : claimed.length
    } catch (error) {
      log.warn({ error: reasonOf(error) }, 'the queue of mails could not be read; later')
      return 0
    }
  }

  async #deliver(mail: ClaimedMail): Promise<MailReport | undefined> {
    const { delivery, statistics, log } = this.#options
    const start = performance.now()
    try {
      const report = await delivery.deliver(mail)
      const { outcome } = report
      statistics.count(outcome, (performance.now() - start) / 1000)
      const lost = outcome === 'refused' || outcome === 'expired' || outcome === 'given_up'
      if (lost) log.warn({ ...mail, ...report }, 'a mail was not delivered')
      if (outcome === 'deferred') log.info({ ...mail, ...report }, 'a mail was put off')
      return report
    } catch (error) {
      const detail = { ...mail, error: reasonOf(error) }
      log.warn(detail, 'a mail could not be prepared or recorded; it comes again')
      // Where PostgreSQL is away, its lease ends by itself.
      await delivery.giveBack(mail).catch(() => {})
      return undefined
    }
  }

  /** Whether the server is there, told by those that came to it. */
  #judge(reports: readonly (MailReport | undefined)[]): void {
    const { log } = this.#options
    const away = reports.find((report) => report?.outcome === 'unreachable')
    const there = reports.some((report) => {
      const outcome = report?.outcome
      return outcome === 'sent' || outcome === 'deferred' || outcome === 'refused'
    })
    if (there) {
      if (this.#failures > 0) log.info({}, 'the mail server takes mails again')
      this.#failures = 0
    } else if (away) {
      if (this.#failures === 0) {
        log.warn({ reason: away.reason }, 'the mail server takes nothing; mails wait')
      }
      this.#failures++
    }
  }

  async #lookAtBacklog(): Promise<void> {
    const { db, statistics, backlogInterval } = this.#options
    if (performance.now() - this.#backlogAt < backlogInterval) return
    statistics.backlog = await mailBacklog(db)
    this.#backlogAt = performance.now()
  }

  /** @param wakeable whether a new mail is a reason to look again sooner; the end always is */
  async #rest(milliseconds: number, wakeable: boolean): Promise<void> {
    const { promise: over, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, milliseconds)
    let woken = false
    while (true) {
      woken = await Promise.race([over.then(() => false), this.#woken.promise.then(() => true)])
      if (!woken || wakeable || this.#stopping) break
      this.#woken = Promise.withResolvers()
    }
    clearTimeout(timer)
    if (woken && !this.#stopping) await new Promise((done) => setTimeout(done, gathering))
  }
}
