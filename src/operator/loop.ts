import { FencedError } from '../db/transaction.ts'
import { backoff, type Clock, jittered, type Random, sleep } from '../k8s/clock.ts'
import type { Logger } from '../k8s/reconciler.ts'

/** Milliseconds. */
export interface LoopIntervals {
  /** From the end of a run to the next, when nobody asks for one. */
  readonly every: number
  /** From the end of a run to the next at least. */
  readonly least: number
  /** Between two looks at who leads. */
  readonly standby: number
  /** After a run that failed, doubled each time. */
  readonly again: { readonly base: number; readonly max: number }
}

const usual: LoopIntervals = {
  every: 300_000,
  least: 1000,
  standby: 1000,
  again: { base: 5000, max: 300_000 },
}

export interface LoopOptions {
  /** What is run, for the log: `the rotation`. */
  readonly what: string
  /** @returns when the next run is due, if sooner than usual */
  readonly run: (signal: AbortSignal) => Promise<Date | undefined>
  readonly leads: () => boolean
  /** Told when a write was fenced off: the program must end. */
  readonly onFenced: () => void
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly intervals?: Partial<LoopIntervals> | undefined
}

/** Runs something in the leader again and again: every few minutes, soon when it is asked to, and with back-off when it fails. */
export class Loop {
  readonly #options: LoopOptions
  readonly #intervals: LoopIntervals
  readonly #stopping = new AbortController()
  #nap = new AbortController()
  #running: Promise<void> | undefined
  #failures = 0

  constructor(options: LoopOptions) {
    this.#options = options
    this.#intervals = { ...usual, ...options.intervals }
  }

  start(): void {
    this.#running ??= this.#repeat()
  }

  /** Asks for a run now, or after the one that is under way. */
  soon(): void {
    this.#nap.abort()
  }

  /** Ends what is under way as soon as it can; resolves when it has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async #repeat(): Promise<void> {
    const { clock, leads } = this.#options
    const { signal } = this.#stopping
    while (!signal.aborted) {
      if (!leads()) {
        await sleep(clock, this.#intervals.standby, signal)
        continue
      }
      // From here on whoever asks means a change that this run may have missed.
      this.#nap = new AbortController()
      const wait = await this.#once(signal)
      if (wait === undefined) return
      const { least } = this.#intervals
      await sleep(clock, least, signal)
      await sleep(clock, wait - least, AbortSignal.any([signal, this.#nap.signal]))
    }
  }

  /** Milliseconds to the next run; undefined when there is to be none. */
  async #once(signal: AbortSignal): Promise<number | undefined> {
    const { what, run, clock, random, logger, onFenced } = this.#options
    const { every, again } = this.#intervals
    try {
      const due = await run(signal)
      this.#failures = 0
      const usually = jittered(every, random)
      return due ? Math.min(usually, due.getTime() - clock.now()) : usually
    } catch (error) {
      if (signal.aborted) return undefined
      if (error instanceof FencedError) {
        onFenced()
        return undefined
      }
      const wait = backoff(this.#failures, again, random)
      this.#failures += 1
      logger.warn({ err: error, retryInMs: Math.round(wait) }, `${what} failed and is tried again`)
      return wait
    }
  }
}
