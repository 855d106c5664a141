import { backoff, type Clock, type Random, sleep } from './clock.ts'
import type { Connection, Prepared } from './connection.ts'
import { ApiError, type StatusDetails, TransportError } from './errors.ts'

/** One request to the API server, and what may be done when it fails. */
export interface Call {
  /** For errors, logs and metrics: what one was about to do. Holds names, never values. */
  readonly verb: string
  readonly subject: string
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly query?: Readonly<Record<string, string | undefined>> | undefined
  readonly body?: unknown
  readonly contentType?: string | undefined
  /** The form that the answer should have; plain JSON when left out. */
  readonly accept?: string | undefined
  /** Doing it twice is like doing it once: it may be sent again when it is not known to have failed. */
  readonly idempotent: boolean
  /** Called before every attempt; throws when the request must not be made. */
  readonly guard?: (() => void) | undefined
  readonly limits?: CallLimits | undefined
}

/** Every call ends: by its deadline, or by the caller's signal. */
export interface CallLimits {
  readonly signal?: AbortSignal | undefined
  /** For all attempts together, in milliseconds. Default 30 s. */
  readonly deadline?: number | undefined
  /** Attempts, the first included. Default 5. */
  readonly attempts?: number | undefined
}

export interface TransportOptions {
  readonly clock: Clock
  readonly random: Random
  readonly userAgent: string
  /** Told of every answer; status 0 is no answer. */
  readonly onAnswer?: (call: Call, status: number) => void
}

const ATTEMPT_TIMEOUT = 10_000
const RETRY = { base: 100, max: 5000 }

/** Sends requests: with deadlines, and again when that is safe and may help. */
export class Transport {
  readonly #connection: Connection
  readonly #options: TransportOptions

  constructor(connection: Connection, options: TransportOptions) {
    this.#connection = connection
    this.#options = options
  }

  /**
   * The answer's JSON.
   * @throws ApiError when the server refuses, TransportError when it does not answer, or the
   *   signal's reason.
   */
  async send(call: Call): Promise<unknown> {
    const { clock, random } = this.#options
    const { deadline = 30_000, attempts = 5, signal = NEVER } = call.limits ?? {}
    const end = clock.monotonic() + deadline
    let refreshed = false
    for (let attempt = 1; ; attempt += 1) {
      signal.throwIfAborted()
      call.guard?.()
      const left = end - clock.monotonic()
      const answer = await this.#attempt(call, Math.min(left, ATTEMPT_TIMEOUT), signal)
      this.#options.onAnswer?.(call, answer.status)
      if (answer.status >= 200 && answer.status < 300) return answer.body
      if (answer.status === 401 && !refreshed) {
        // A token that was rotated a moment ago: read it anew, once.
        refreshed = true
        this.#connection.invalidate()
        continue
      }
      const error = errorOf(call, answer)
      const delay = answer.retryAfter ?? backoff(attempt - 1, RETRY, random)
      const pointless = attempt >= attempts || clock.monotonic() + delay >= end
      if (pointless || !mayRepeat(call, answer.status)) throw error
      await sleep(clock, delay, signal)
    }
  }

  /**
   * The body of a watch, as it comes. It ends when the server ends it; the signal cuts it.
   * @throws ApiError, TransportError
   */
  async open(
    call: Call & { readonly limits: { signal: AbortSignal } },
  ): Promise<AsyncIterable<Buffer>> {
    const { signal } = call.limits
    try {
      const cut = new AbortController()
      const cancel = this.#options.clock.after(ATTEMPT_TIMEOUT, () => cut.abort())
      try {
        const opening = this.#request(call, 'watch', AbortSignal.any([signal, cut.signal]))
        const response = await opening
        this.#options.onAnswer?.(call, response.statusCode)
        if (response.statusCode === 200) return response.body
        if (response.statusCode === 401) this.#connection.invalidate()
        throw errorOf(call, await readAnswer(response))
      } finally {
        cancel()
      }
    } catch (error) {
      throw error instanceof ApiError ? error : transportError(call, error)
    }
  }

  async #attempt(call: Call, timeout: number, signal: AbortSignal): Promise<Answer> {
    const cut = new AbortController()
    const onAbort = (): void => cut.abort()
    signal.addEventListener('abort', onAbort)
    const cancel = this.#options.clock.after(timeout, onAbort)
    try {
      return await readAnswer(await this.#request(call, 'request', cut.signal))
    } catch (error) {
      signal.throwIfAborted()
      return { status: 0, body: cut.signal.aborted ? timedOut(call) : transportError(call, error) }
    } finally {
      cancel()
      signal.removeEventListener('abort', onAbort)
    }
  }

  async #request(call: Call, use: 'request' | 'watch', signal: AbortSignal) {
    const prepared = await abortable(this.#connection.prepare(use), signal)
    const headers: Record<string, string> = {
      ...prepared.headers,
      accept: call.accept ?? 'application/json',
      'user-agent': this.#options.userAgent,
    }
    if (call.body !== undefined) headers['content-type'] = call.contentType ?? 'application/json'
    return prepared.dispatcher.request({
      origin: prepared.origin,
      path: `${prepared.prefix}${call.path}${queryString(call.query)}`,
      method: call.method,
      headers,
      body: call.body === undefined ? null : JSON.stringify(call.body),
      signal,
    })
  }
}

const NEVER = new AbortController().signal

interface Answer {
  /** 0 when there was none; `body` is then the error. */
  readonly status: number
  readonly body: unknown
  readonly retryAfter?: number | undefined
}

type Response = Awaited<ReturnType<Prepared['dispatcher']['request']>>

async function readAnswer(response: Response): Promise<Answer> {
  const text = await response.body.text()
  const seconds = Number(response.headers['retry-after'] ?? Number.NaN)
  const retryAfter = Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined
  return { status: response.statusCode, body: parse(text), retryAfter }
}

/** What is not JSON stays text: a proxy's page must not be read as an empty list. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/**
 * 429 means that nothing was done. After a 5xx, or no answer, it is not known whether it was, and
 * only what is idempotent is sent again.
 */
function mayRepeat(call: Call, status: number): boolean {
  return status === 429 || (call.idempotent && (status === 0 || status >= 500))
}

interface RawStatus {
  readonly reason?: string
  readonly message?: string
  readonly details?: StatusDetails
}

function errorOf(call: Call, { status, body }: Answer): Error {
  if (status === 0) return body as Error
  const known = typeof body === 'object' && body !== null
  const { reason, message, details } = (known ? body : {}) as RawStatus
  const text = message ?? (typeof body === 'string' ? body : '')
  return new ApiError(`${call.verb} ${call.subject}`, status, reason ?? 'Unknown', text, details)
}

function transportError(call: Call, error: unknown): TransportError {
  const code = (error as { code?: unknown } | undefined)?.code
  const word = typeof code === 'string' ? code : (error as Error | undefined)?.name
  return new TransportError(`${call.verb} ${call.subject}`, word ?? 'Unknown', error)
}

function timedOut(call: Call): TransportError {
  return new TransportError(`${call.verb} ${call.subject}`, 'ETIMEDOUT')
}

/** Gives up waiting when the signal is aborted: a credential plug-in may never return. */
function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason)
    if (signal.aborted) return onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    const end = (): void => signal.removeEventListener('abort', onAbort)
    promise.then(resolve, reject).finally(end)
  })
}

function queryString(query: Call['query']): string {
  const entries = Object.entries(query ?? {}).filter((e): e is [string, string] => e[1] != null)
  return entries.length === 0 ? '' : `?${new URLSearchParams(entries).toString()}`
}
