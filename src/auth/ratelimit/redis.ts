import { type Callback, Redis, type Result } from 'ioredis'
import { type AuthLog, reasonOf } from '../log.ts'
import { MemoryWindows, type WindowCount, type Windows } from './window.ts'

/** A server of Redis's protocol. */
export interface RedisServer {
  readonly host: string
  readonly port: number
  readonly tls: boolean
  readonly login: { readonly user: string; readonly password: string } | undefined
  readonly database: number
}

declare module 'ioredis' {
  interface RedisCommander<Context> {
    cardeaCount(
      key: string,
      length: number,
      callback?: Callback<[number, number]>,
    ): Result<[number, number], Context>
  }
}

/** In one step, so that no window stays without its end. */
const count = `
local count = redis.call('INCR', KEYS[1])
local rest = redis.call('PTTL', KEYS[1])
if count == 1 or rest < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  rest = tonumber(ARGV[1])
end
return {count, rest}`

/** Milliseconds: nobody waits longer for a limit to be counted. */
const patience = 250
/** Milliseconds in which a server that failed is not asked: with one that only hangs, everybody would wait. */
const pause = 1000
const mostInMemory = 50_000

/** Counts that all replicas share. While the server is away, each replica counts for itself. */
export class SharedWindows implements Windows {
  readonly #redis: Redis
  readonly #memory = new MemoryWindows(mostInMemory)
  readonly #log: AuthLog
  /** Undefined before the server was heard of. */
  #together: boolean | undefined
  #askAgainAt = 0

  constructor({ host, port, tls, login, database }: RedisServer, log: AuthLog) {
    this.#log = log
    this.#redis = new Redis({
      host,
      port,
      db: database,
      ...(login && {
        password: login.password,
        ...(login.user !== '' && { username: login.user }),
      }),
      // Node verifies the certificate for the host.
      ...(tls && { tls: {} }),
      connectionName: 'cardea-auth',
      connectTimeout: 2000,
      commandTimeout: patience,
      lazyConnect: true,
      // Nobody waits for a server to come back.
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      retryStrategy: (times) => Math.min(times * 100, 2000),
      scripts: { cardeaCount: { numberOfKeys: 1, lua: count } },
    })
    this.#redis.on('error', (error: unknown) => this.#lost(error))
    this.#redis.on('ready', () => this.#found())
  }

  /** Whether the server answers, as far as was seen last. */
  get together(): boolean {
    return this.#together === true
  }

  start(): void {
    this.#redis.connect().catch((error: unknown) => this.#lost(error))
  }

  stop(): void {
    this.#redis.disconnect()
  }

  async add(key: string, length: number): Promise<WindowCount> {
    if (performance.now() < this.#askAgainAt) return this.#memory.add(key, length)
    try {
      const [shared, rest] = await this.#redis.cardeaCount(`cardea:limit:${key}`, length)
      this.#found()
      return { count: shared, rest }
    } catch (error) {
      this.#lost(error)
      return this.#memory.add(key, length)
    }
  }

  #lost(error: unknown): void {
    this.#askAgainAt = performance.now() + pause
    if (this.#together === false) return
    this.#together = false
    const detail = { error: reasonOf(error) }
    this.#log.warn(detail, 'Redis is away: each replica counts for itself')
  }

  #found(): void {
    this.#askAgainAt = 0
    const former = this.#together
    this.#together = true
    if (former === false) this.#log.info({}, 'Redis is back: all replicas count together')
  }
}
