/** A sleeper that can be woken, and remembers when it was woken while it was awake. */
export class Alarm {
  #rang = false
  #wake: (() => void) | undefined

  /** Ends the sleep, or keeps the next one from starting. */
  ring(): void {
    this.#rang = true
    this.#wake?.()
  }

  /** Forgets that it rang: whoever was to be told looks now. */
  hush(): void {
    this.#rang = false
  }

  /** Resolves after `milliseconds`, or when it rings. */
  async sleep(milliseconds: number): Promise<void> {
    if (this.#rang) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#wake = undefined
  }

  /** Resolves after `milliseconds` even when it rings. */
  async pause(milliseconds: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, milliseconds))
  }
}
