/** Has something written down now and then, never twice at once, and a last time at the end. */
export class PeriodicWriter {
  readonly #write: (last: boolean) => Promise<void>
  readonly #interval: number
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> | undefined

  /**
   * @param write never rejects: what it could not write it keeps for the next time, if this is not the last
   * @param interval milliseconds between two times
   */
  constructor(write: (last: boolean) => Promise<void>, interval: number) {
    this.#write = write
    this.#interval = interval
  }

  start(): void {
    this.#timer = setInterval(() => void this.flush(), this.#interval)
  }

  /** Writes what there is, the last time. Never rejects. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#writing
    await this.#start(true)
  }

  /** Writes now. Never rejects. */
  async flush(): Promise<void> {
    await this.#start(false)
  }

  async #start(last: boolean): Promise<void> {
    this.#writing ??= this.#write(last).finally(() => {
      this.#writing = undefined
    })
    await this.#writing
  }
}
