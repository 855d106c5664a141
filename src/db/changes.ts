import { Socket } from 'node:net'
import { Alarm } from './alarm.ts'
import { Client } from './client.ts'
import type { DatabaseLog } from './pool.ts'
import { type Position, serverIdentity, xmax } from './position.ts'

/** One record that somebody changed. Reload it by its id; what it was changed to is not told. */
export interface Change {
  readonly organizationId: string
  /** `organization`, `project`, `role`, `role_binding` or `api_key`. */
  readonly concept: string
  readonly recordId: string
  readonly ownerInstallation: string | null
  readonly ownerNamespace: string | null
  readonly ownerName: string | null
  /** Null when the change was made by hand. */
  readonly actor: string | null
}

export interface ChangeFeedOptions {
  /** A direct connection: through PgBouncer in transaction mode LISTEN is deaf, and only the poll is left. */
  readonly connectionString: string
  readonly applicationName: string
  readonly log: DatabaseLog
  /**
   * Anything may have changed: at the start, after a restore, or when too much was missed. Load everything; the position
   * was taken before, so what changes meanwhile comes as a change.
   * @param connection the feed's own: what it reads is never older than what it read before
   */
  readonly onReload: (connection: Client) => Promise<void>
  /** These were changed. When it throws, they come again. */
  readonly onChanges: (changes: readonly Change[], connection: Client) => Promise<void>
  /** Milliseconds between two looks without a notification; 500 when left out. */
  readonly pollInterval?: number
}

interface FeedPosition extends Position {
  readonly epoch: string
}

interface ChangeRow extends Change {
  readonly snapshot: string
  readonly epoch: string
  readonly reload: boolean
  readonly id: string | null
}

/** Beyond this many changes at once, loading everything is cheaper, and memory stays bounded. */
const maxChanges = 20_000
/** Milliseconds between two looks at least, so that a storm of commits is taken in batches. */
const minInterval = 10
const queryTimeout = 5000
const backOff = { first: 50, most: 1000 } as const

const readChanges = `select snapshot::text, epoch::text, reload, id::text, organization_id as "organizationId", concept,
  record_id as "recordId", owner_installation as "ownerInstallation", owner_namespace as "ownerNamespace",
  owner_name as "ownerName", actor
  from cardea.read_changes($1::pg_snapshot) limit ${maxChanges + 1}`
const identifyServer = `select ${serverIdentity} as server`

/**
 * Follows the change feed for as long as it runs: LISTEN wakes it, a poll finds what no notification told, and after a
 * lost connection it goes on from its position.
 */
export class ChangeFeed {
  readonly #options: ChangeFeedOptions
  readonly #alarm = new Alarm()
  /** What was applied. */
  #position: FeedPosition | undefined
  #seen: Position | undefined
  #following = false
  #freshAt = { monotonic: Number.NEGATIVE_INFINITY, wall: Number.NEGATIVE_INFINITY }
  #stopped = false
  #running: Promise<void> | undefined
  #socket: Socket | undefined
  #complainedAt = Number.NEGATIVE_INFINITY
  #connected = false
  #applied = 0
  #reloads = 0

  constructor(options: ChangeFeedOptions) {
    this.#options = options
  }

  /** Whether there is a connection that listens. */
  get connected(): boolean {
    return this.#connected
  }

  /** Changes handed to `onChanges` so far. */
  get applied(): number {
    return this.#applied
  }

  /** Calls of `onReload` that succeeded so far. */
  get reloads(): number {
    return this.#reloads
  }

  /** Whether everything was loaded and no later reload is due: what was applied is whole, as of `staleness()` ago. */
  get following(): boolean {
    return this.#following
  }

  /** Of the last look. What was read where this is not included is out of date; undefined before the first look. */
  get position(): Position | undefined {
    return this.#seen
  }

  /**
   * Milliseconds since the start of the last look after which everything was applied; infinite before the first.
   * The start, because an answer may have waited in the socket of a paused process. Both clocks, because the monotonic one
   * stands still while a machine sleeps, and the other one can be set back.
   */
  staleness(monotonic = performance.now(), wall = Date.now()): number {
    return Math.max(monotonic - this.#freshAt.monotonic, wall - this.#freshAt.wall)
  }

  start(): void {
    this.#running ??= this.#run()
  }

  /** Ends the connection; resolves when no callback runs any more. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#alarm.ring()
    this.#socket?.destroy()
    await this.#running
  }

  async #run(): Promise<void> {
    let wait: number = backOff.first
    while (!this.#stopped) {
      const looks = await this.#session()
      // A server that takes connections and breaks them at once must not be hammered.
      wait = looks > 0 ? backOff.first : Math.min(wait * 2, backOff.most)
      this.#alarm.hush()
      // A stop that rang before the hush is seen here, one that rings after it ends the sleep.
      if (!this.#stopped) await this.#alarm.sleep(wait * (0.5 + Math.random() / 2))
    }
  }

  /** One connection, from its start to its loss. Answers how many looks succeeded on it. */
  async #session(): Promise<number> {
    const socket = new Socket()
    this.#socket = socket
    const client = this.#client(socket)
    let looks = 0
    try {
      await client.connect()
      await client.query('listen cardea_changes')
      const server = (await client.query<{ server: string }>(identifyServer)).rows[0]?.server ?? ''
      this.#connected = true
      this.#options.log.info({}, 'following the change feed')
      for (; !this.#stopped; looks++) {
        await this.#look(client, server)
        if (!this.#stopped) await this.#rest()
      }
    } catch (error) {
      this.#complain(error, looks)
    } finally {
      this.#connected = false
      this.#socket = undefined
      // Not end(): it would wait for a server that may have gone silent.
      socket.destroy()
    }
    return looks
  }

  #client(socket: Socket): Client {
    const client = new Client({
      connectionString: this.#options.connectionString,
      application_name: this.#options.applicationName,
      connectionTimeoutMillis: 3000,
      query_timeout: queryTimeout,
      keepAlive: true,
      stream: () => socket,
    })
    // The end of a connection that was given up already must not cut the back-off short.
    const wake = () => {
      if (this.#socket === socket) this.#alarm.ring()
    }
    client.on('notification', wake)
    client.on('end', wake)
    client.on('error', wake)
    return client
  }

  async #rest(): Promise<void> {
    await this.#alarm.pause(minInterval)
    await this.#alarm.sleep((this.#options.pollInterval ?? 500) - minInterval)
  }

  async #look(client: Client, server: string): Promise<void> {
    this.#alarm.hush()
    const startedAt = { monotonic: performance.now(), wall: Date.now() }
    const { rows } = await client.query<ChangeRow>(readChanges, [this.#position?.snapshot ?? null])
    const [first] = rows
    if (first === undefined) throw new Error('the change feed has no position')
    const position = { snapshot: first.snapshot, epoch: first.epoch, server }
    this.#seen = position
    if (mustReload(this.#position, position, first.reload) || rows.length > maxChanges) {
      this.#following = false
      await this.#options.onReload(client)
      this.#position = position
      this.#reloads++
      // Now what changed while it loaded: only then is it whole.
      return this.#look(client, server)
    }
    const changes = rows.filter((row) => row.id !== null)
    if (changes.length > 0) await this.#options.onChanges(changes, client)
    this.#position = position
    this.#applied += changes.length
    this.#following = true
    this.#freshAt = startedAt
  }

  #complain(error: unknown, looks: number): void {
    const now = performance.now()
    if (this.#stopped || (looks === 0 && now - this.#complainedAt < 10_000)) return
    this.#complainedAt = now
    const reason = error instanceof Error ? error.message : String(error)
    this.#options.log.warn({ error: reason }, 'waiting for the database: the change feed is cut')
  }
}

/** Whether a position says that changes may have been missed. */
export function mustReload(
  last: FeedPosition | undefined,
  next: FeedPosition,
  pruned: boolean,
): boolean {
  return (
    last === undefined ||
    pruned ||
    next.epoch !== last.epoch ||
    next.server !== last.server ||
    // An older state of the same server was restored.
    xmax(next.snapshot) < xmax(last.snapshot)
  )
}
