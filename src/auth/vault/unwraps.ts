import { authActor } from '../../domain/actor.ts'
import type { Unwrap } from '../../encryption/datakeys.ts'
import type { AuthLog } from '../log.ts'

/** Who unwraps, in the audit trail. */
export const unwrapper = { actorKind: 'system', actor: authActor } as const

/** An unwrap that is not in the audit trail yet. */
export interface PendingUnwrap extends Unwrap {
  readonly at: Date
}

/** Far more than there can be: an unwrap waits for the end of the request that led to it, and keys are cached for minutes. */
const most = 10_000

/** The unwraps of data keys, until they are in the audit trail. The log has each at once. */
export class PendingUnwraps {
  readonly #log: AuthLog
  #waiting: PendingUnwrap[] = []

  constructor(log: AuthLog) {
    this.#log = log
  }

  add(unwrap: Unwrap): void {
    this.#log.info({ ...unwrap }, 'a data key was unwrapped')
    this.giveBack([{ ...unwrap, at: new Date() }])
  }

  /** Hands out what waits, for somebody to write it. @param organizationId all when left out */
  take(organizationId?: string): readonly PendingUnwrap[] {
    const isWanted = (unwrap: Unwrap) =>
      organizationId === undefined || unwrap.organizationId === organizationId
    const taken = this.#waiting.filter(isWanted)
    if (taken.length > 0) this.#waiting = this.#waiting.filter((unwrap) => !isWanted(unwrap))
    return taken
  }

  /** Takes back what could not be written. */
  giveBack(unwraps: readonly PendingUnwrap[]): void {
    const room = Math.max(0, most - this.#waiting.length)
    const lost = unwraps.length - room
    if (lost > 0) this.#log.error({ lost }, 'unwraps of data keys are in this log alone')
    this.#waiting.push(...unwraps.slice(0, room))
  }
}
