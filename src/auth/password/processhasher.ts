import { randomBytes } from 'node:crypto'
import { type PasswordRules, passwordBytes } from '../../domain/password.ts'
import {
  type HashParameters,
  hashOfNothing,
  isAffordable,
  isOutdated,
  readPasswordHash,
} from '../../domain/passwordhash.ts'
import type { AuthLog } from '../log.ts'
import type { Refused } from '../people.ts'
import type { PasswordHasher, Verification } from './hasher.ts'
import type { HashingAnswer, HashingTask } from './hashing.ts'

/** A process that hashes, one task at a time, and ends with the one that started it. */
export interface HashingProcess {
  /** The answer comes with `onAnswer`. */
  send(task: HashingTask): void
  /** Ends it at once. */
  kill(): void
}

export interface HashingListener {
  onAnswer(answer: HashingAnswer): void
  /** It is gone, whatever the reason. Told once. */
  onEnd(reason: string): void
}

export interface ProcessHasherOptions {
  readonly start: (listener: HashingListener) => HashingProcess
  readonly parameters: HashParameters
  /** How many tasks may wait, beside those that are under way. */
  readonly queue: number
  /** Processes, each of which has one task at a time. */
  readonly workers: number
  /** Milliseconds for which a task may wait, and then as many that it may take. */
  readonly deadline?: number
  readonly log: AuthLog
}

const defaultDeadline = 10_000
/** Seconds. */
const retryAfter = 2
/** Milliseconds between the end of a process and the next one, so that one that cannot live does not take all the time. */
const rest = 500
const busy: Refused<'busy'> = { refused: 'busy', retryAfter }

interface Job {
  readonly task: HashingTask
  readonly settle: (answer: HashingAnswer | undefined) => void
  timer: NodeJS.Timeout
}

/**
 * Has passwords hashed by processes of their own, at the lowest priority: a storm of sign-ins takes what the checks leave. They
 * are started when they are needed first, and again when they die.
 */
export class ProcessHasher implements PasswordHasher {
  readonly #options: ProcessHasherOptions
  readonly #waiting: Job[] = []
  readonly #workers: Worker[]
  readonly #nothing: string
  #stopped = false

  constructor(options: ProcessHasherOptions) {
    this.#options = options
    this.#nothing = hashOfNothing(options.parameters, randomBytes(48))
    this.#workers = Array.from(
      { length: options.workers },
      () => new Worker(options, () => this.#assign()),
    )
  }

  get full(): boolean {
    return this.#stopped || this.#waiting.length >= this.#options.queue
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.length
  }

  async hash(password: string): Promise<{ readonly hash: string } | Refused<'busy'>> {
    const bytes = passwordBytes(password)
    if (!bytes) throw new RangeError('the password is longer than one may be')
    const answer = await this.#run({ do: 'hash', bytes, parameters: this.#options.parameters })
    return answer?.hash === undefined ? busy : { hash: answer.hash }
  }

  async verify(
    hash: string | undefined,
    password: string,
  ): Promise<Verification | Refused<'busy'>> {
    const { parameters } = this.#options
    const bytes = passwordBytes(password)
    const found = hash === undefined ? undefined : readPasswordHash(hash)
    const usable = found !== undefined && isAffordable(found, parameters)
    const answer = await this.#run({
      do: 'verify',
      bytes: bytes ?? Buffer.alloc(0),
      hash: usable && hash !== undefined ? hash : this.#nothing,
    })
    if (answer?.matches === undefined) return busy
    const matches = answer.matches && usable && bytes !== undefined
    return { matches, outdated: usable && isOutdated(found, parameters) }
  }

  async judge(
    text: string,
    { minLength, complexity }: PasswordRules,
    words: readonly string[],
  ): Promise<{ readonly objections: readonly string[] } | Refused<'busy'>> {
    const answer = await this.#run({ do: 'judge', text, rules: { minLength, complexity }, words })
    return answer?.objections === undefined ? busy : { objections: answer.objections }
  }

  async derive(
    text: string,
    salt: Uint8Array,
  ): Promise<{ readonly derived: Buffer } | Refused<'busy'>> {
    const { parameters } = this.#options
    const answer = await this.#run({ do: 'derive', bytes: Buffer.from(text), salt, parameters })
    return answer?.derived === undefined ? busy : { derived: Buffer.from(answer.derived) }
  }

  /** Ends the processes. Whoever waits is told that it is busy. */
  stop(): void {
    this.#stopped = true
    for (const worker of this.#workers) worker.stop()
    for (const job of this.#waiting.splice(0)) finish(job, undefined)
  }

  #run(task: HashingTask): Promise<HashingAnswer | undefined> {
    const { promise, resolve: settle } = Promise.withResolvers<HashingAnswer | undefined>()
    if (this.full) return Promise.resolve(undefined)
    const job: Job = {
      task,
      settle,
      timer: setTimeout(() => this.#giveUp(job), this.#options.deadline ?? defaultDeadline),
    }
    this.#waiting.push(job)
    this.#assign()
    return promise
  }

  #assign(): void {
    for (const worker of this.#workers) {
      if (!worker.idle) continue
      const job = this.#waiting.shift()
      if (job === undefined) return
      worker.take(job)
    }
  }

  /** It has not begun in time: whoever asked has gone. */
  #giveUp(job: Job): void {
    const { log } = this.#options
    log.warn({ waiting: this.#waiting.length }, 'a password waited for too long to be hashed')
    this.#waiting.splice(this.#waiting.indexOf(job), 1)
    finish(job, undefined)
  }
}

/** One process after another, with at most one task. */
class Worker {
  readonly #options: ProcessHasherOptions
  readonly #onIdle: () => void
  #process: HashingProcess | undefined
  #job: Job | undefined
  #resting: NodeJS.Timeout | undefined
  #stopped = false

  constructor(options: ProcessHasherOptions, onIdle: () => void) {
    this.#options = options
    this.#onIdle = onIdle
  }

  get idle(): boolean {
    return this.#job === undefined && this.#resting === undefined && !this.#stopped
  }

  take(job: Job): void {
    this.#job = job
    this.#process ??= this.#start()
    const started = this.#process
    clearTimeout(job.timer)
    // Nothing but its end interrupts a process that computes.
    job.timer = setTimeout(() => started.kill(), this.#options.deadline ?? defaultDeadline)
    started.send(job.task)
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#resting)
    this.#process?.kill()
    this.#answer(undefined)
  }

  #start(): HashingProcess {
    const started: HashingProcess = this.#options.start({
      onAnswer: (answer) => {
        this.#answer(answer)
        this.#onIdle()
      },
      onEnd: (reason) => {
        if (this.#process !== started) return
        this.#process = undefined
        if (this.#stopped) return
        this.#options.log.warn(
          { reason },
          'the process that hashes passwords ended; another one is started',
        )
        this.#resting = setTimeout(() => {
          this.#resting = undefined
          this.#onIdle()
        }, rest)
        this.#answer(undefined)
      },
    })
    return started
  }

  #answer(answer: HashingAnswer | undefined): void {
    const job = this.#job
    this.#job = undefined
    if (job) finish(job, answer)
  }
}

function finish(job: Job, answer: HashingAnswer | undefined): void {
  clearTimeout(job.timer)
  job.settle(answer)
}
