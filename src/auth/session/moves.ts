import { hash } from 'node:crypto'
import type { Pool } from 'pg'
import { lockedSession } from '../../db/session.ts'
import { type SessionPlace, sessionPlaces } from '../../db/sessionplace.ts'
import { writeInOrganization } from '../../db/transaction.ts'
import { authActor } from '../../domain/actor.ts'
import type { WallClock } from '../clock.ts'
import { type AuthLog, reasonOf } from '../log.ts'
import { RecentMap } from '../recentmap.ts'
import { movesOf, noteMove } from './move.ts'

/** From where a request came, as a proxy that is trusted tells. */
export interface Sighting {
  /** Canonical. */
  readonly address: string
  readonly userAgent: string | undefined
  readonly requestId: string
}

export interface SessionMovesOptions {
  /** Connections that no check waits for. */
  readonly pool: Pool
  readonly clock: Pick<WallClock, 'now'>
  readonly log: AuthLog
  /** Milliseconds between two looks. */
  readonly interval?: number
}

/** Sessions whose place is remembered, those that are looked at in one go, and those of them that moved. */
const bounds = { places: 50_000, batch: 500, moved: 50, quiet: 10_000 } as const
const usualInterval = 1000
/** Milliseconds: who goes to and fro between two networks is written down now and then, not each time. */
const pause = 600_000

/**
 * Finds out that sessions are used from elsewhere. A check costs a look into a map. Where the place is another one than this
 * replica saw last, the session is looked up a little later, with others, and in no greater number than checks can bear.
 */
export class SessionMoves {
  readonly #options: SessionMovesOptions
  /** A digest of the place, which tells that it changed, and whose room nobody chooses. */
  readonly #places = new RecentMap<string, string>(bounds.places)
  /** Until when a session that moved is left alone. */
  readonly #quiet = new RecentMap<string, number>(bounds.quiet)
  #pending = new Map<string, Sighting>()
  #timer: NodeJS.Timeout | undefined
  /** The last look that was asked for. */
  #working = Promise.resolve()

  constructor(options: SessionMovesOptions) {
    this.#options = options
  }

  saw(sessionId: string, sighting: Sighting): void {
    const { address, userAgent = '' } = sighting
    const place = hash('sha256', `${address} ${userAgent}`, 'base64')
    if (this.#places.get(sessionId) === place) return
    // What finds no room is seen again with its next request.
    if (this.#pending.size >= bounds.batch) return
    if ((this.#quiet.get(sessionId) ?? 0) > this.#options.clock.now()) return
    this.#places.set(sessionId, place)
    this.#pending.set(sessionId, sighting)
    this.#timer ??= setTimeout(() => void this.flush(), this.#options.interval ?? usualInterval)
  }

  /** Looks at what waits, now. Never rejects. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    // One after the other: whoever waits for this one has waited for all before it.
    this.#working = this.#working.then(() => this.#examine())
    await this.#working
  }

  /** Looks at what waits, the last time. Never rejects. */
  async stop(): Promise<void> {
    await this.flush()
  }

  async #examine(): Promise<void> {
    const sightings = this.#pending
    this.#pending = new Map()
    if (sightings.size === 0) return
    try {
      const places = await sessionPlaces(this.#options.pool, [...sightings.keys()])
      const moved = places.flatMap((place) => {
        const sighting = seenAs(place.kind, sightings.get(place.id))
        return sighting && movesOf(place, sighting).changes.length > 0 ? [{ place, sighting }] : []
      })
      for (const { place, sighting } of moved.slice(0, bounds.moved)) {
        await this.#note(place, sighting)
      }
    } catch (error) {
      const detail = { error: reasonOf(error) }
      this.#options.log.warn(detail, 'from where sessions are used could not be written down')
    }
  }

  async #note({ id, organizationId }: SessionPlace, sighting: Sighting): Promise<void> {
    const { pool, clock } = this.#options
    await writeInOrganization(pool, { organizationId, actor: authActor }, async (tx) => {
      // Another replica may have seen it too.
      const session = await lockedSession(tx, id)
      if (session) await noteMove(tx, { ...session, organizationId }, sighting)
    })
    this.#quiet.set(id, clock.now() + pause)
  }
}

/** An application may ask with a cookie that it was sent, and under its own name: that is no other device of the person's. */
function seenAs(kind: SessionPlace['kind'], sighting: Sighting | undefined): Sighting | undefined {
  if (kind === 'token' || sighting?.userAgent?.startsWith('Mozilla/')) return sighting
  return sighting && { ...sighting, userAgent: undefined }
}
