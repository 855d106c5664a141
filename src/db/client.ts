import pg from 'pg'

type Callback = (error: Error, result: unknown) => void

/** Where pg keeps the limit. */
interface Limited {
  readonly connectionParameters: { query_timeout: unknown }
}

/**
 * pg's client, with promises and time limits of its own. With those of pg, what a query leaves behind is copied, and not freed,
 * whenever young garbage is collected: in a storm of sign-ins that stopped the process for 12 ms at a time, and without it stops
 * it for 0.3 (docs/adr/0020).
 */
class PromptClient extends pg.Client {
  /** Milliseconds. */
  readonly #patience: number

  /** @param config `query_timeout`, wherever it says so: milliseconds in which a query is answered, or is rejected; 0: never */
  constructor(config?: string | pg.ClientConfig) {
    super(config)
    const { connectionParameters } = this as unknown as Limited
    this.#patience = Number(connectionParameters.query_timeout) || 0
    connectionParameters.query_timeout = 0
  }

  /**
   * As pg has it, but for queries that are objects of the caller's.
   * @throws TypeError for those
   */
  override query(config: unknown, values?: unknown, callback?: unknown): never {
    return this.#query(config, values, callback) as never
  }

  #query(config: unknown, values: unknown, callback: unknown): Promise<unknown> | undefined {
    const isText = typeof config === 'string'
    if (!isText && typeof (config as { text?: unknown } | null)?.text !== 'string') {
      throw new TypeError('a query is a text, or an object that has one')
    }
    if (typeof values === 'function') return this.#send(config, undefined, values as Callback)
    if (callback !== undefined) return this.#send(config, values, callback as Callback)
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    this.#send(config, values, (error, result) => (error ? reject(error) : resolve(result)))
    return promise
  }

  #send(config: unknown, values: unknown, callback: Callback): undefined {
    let over = false
    const giveUp = (): void => {
      over = true
      callback(new Error('Query read timeout'), undefined)
    }
    const timer = this.#patience > 0 ? setTimeout(giveUp, this.#patience) : undefined
    // Of the nine ways that pg declares to call it, all come to this one.
    super.query(config as string, values as unknown[], (error: Error, result: unknown) => {
      clearTimeout(timer)
      // Whoever asked was told already that it took too long.
      if (!over) callback(error, result)
    })
  }
}

export const Client: typeof pg.Client = PromptClient
export type Client = pg.Client
