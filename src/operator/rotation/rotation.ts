import type { EncryptionKey } from '../../api/v1alpha1/encryptionkey.ts'
import {
  type DataKeyAge,
  dataKeyAges,
  type KekVersion,
  keysMadeBefore,
  wrappedKeys,
} from '../../db/encryption.ts'
import type { SealedTable } from '../../db/sealed.ts'
import { inOrganization } from '../../db/transaction.ts'
import { readDuration } from '../../domain/duration.ts'
import { type Clock, sleep } from '../../k8s/clock.ts'
import { isSuspended, referenceKey } from '../../k8s/object.ts'
import type { Priority } from '../../k8s/queue.ts'
import type { Logger } from '../../k8s/reconciler.ts'
import { type KeyManagement, KeyManagementError } from '../../kms/keymanagement.ts'
import type { KeyReference } from '../../kms/reference.ts'
import { rotateDataKey } from '../datakey.ts'
import { kekOf, type OperatorDependencies, operatorActor } from '../dependencies.ts'
import { compromisedBefore, keyReferenceOf, lineOf } from '../encryptionkey/reference.ts'
import { BackOffs } from './backoffs.ts'
import { type OrganizationWork, organizationWork, Progress } from './progress.ts'
import { dropUnusedDataKeys, resealRows } from './reseal.ts'
import { type Hindrances, rewrapDataKeys, rewrapSecrets, type Target } from './rewrap.ts'

/** How hard a run works. */
export interface RotationBounds {
  /** Secrets, or rows, of one transaction. */
  readonly batch: number
  /** Calls to the key managers at once. */
  readonly parallel: number
  /** Milliseconds of rest after a batch for each that it took: what people wait for goes first. */
  readonly rest: number
  /** Milliseconds after which a key that failed is tried again, doubled each time up to `max`. */
  readonly again: { readonly base: number; readonly max: number }
}

const usual: RotationBounds = {
  batch: 100,
  parallel: 8,
  rest: 0.5,
  again: { base: 15_000, max: 300_000 },
}

/** Keys of one query. */
const compromisedPage = 1000

export interface RotationOptions {
  readonly deps: OperatorDependencies
  /** The EncryptionKeys as they are cached. */
  readonly keys: () => Iterable<EncryptionKey>
  /** The EncryptionKey that an Organization refers to; undefined when it refers to none, or is there no more. */
  readonly keyOf: (namespace: string, organization: string) => EncryptionKey | undefined
  readonly wake: (reference: string, reason: string, priority: Priority) => void
  readonly tables: readonly SealedTable[]
  readonly clock: Clock
  readonly random: () => number
  readonly logger: Logger
  readonly bounds?: Partial<RotationBounds> | undefined
}

/**
 * Brings everything that is wrapped or sealed under the keys that should do it. What is left to do is in the rows themselves,
 * so a run that is killed is gone on with by the next one, whoever's it is.
 */
export class Rotation {
  readonly progress = new Progress()
  readonly #options: RotationOptions
  readonly #bounds: RotationBounds
  /** Keys that failed, by their lines; null is the installation's. */
  readonly #failed: BackOffs<string | null>
  /** Organizations that failed by something of their own, by their ids: the others under the same key go on. */
  readonly #hindered: BackOffs<string>
  /** How many compromised secrets each organization had when it was looked at last. */
  readonly #compromised = new Map<string, number>()
  /** Whether keys are being replaced: how many are left is worth another look. */
  #lookAgain = false

  constructor(options: RotationOptions) {
    this.#options = options
    this.#bounds = { ...usual, ...options.bounds }
    const backOff = { ...options, again: this.#bounds.again }
    this.#failed = new BackOffs(backOff)
    this.#hindered = new BackOffs(backOff)
  }

  /**
   * Does what there is to do.
   * @returns when the next run is due, after a failure or while keys are replaced; undefined when there is no hurry
   * @throws FencedError, or whatever PostgreSQL throws
   */
  async run(signal: AbortSignal): Promise<Date | undefined> {
    const { deps } = this.#options
    this.#lookAgain = false
    const counts = await wrappedKeys(deps.pool, deps.installation)
    const all = organizationWork(counts)
    this.progress.keep(all)
    const work = all.filter((organization) => this.#mayUseIts(organization))
    const ages = new Map(
      (await dataKeyAges(deps.pool, deps.installation)).map((age) => [age.organizationId, age]),
    )
    const currents = await this.#describe(work, signal)
    for (const organization of work) {
      const target = currents.get(organization.line)
      if (target) this.progress.found(organization, target.current)
    }
    for (const organization of work) {
      if (signal.aborted) return undefined
      const target = currents.get(organization.line)
      if (!target || this.#failed.isLeftAlone(organization.line)) continue
      const { organizationId: id } = organization
      if (this.#hindered.isLeftAlone(id)) continue
      await this.#attempt(organization.line, async () => {
        const isDone = await this.#serve(organization, target, ages.get(id), signal)
        if (isDone) this.#hindered.served([id])
        else this.#hindered.failed(id)
      })
    }
    this.#hindered.keep(new Set(work.map(({ organizationId }) => organizationId)))
    // Not before all of it went well: a key that is described and then fails would begin at the shortest wait each time.
    this.#failed.served(currents.keys())
    const look = this.#options.clock.now() + this.#bounds.again.base
    // An organization's time may be over while its key is left alone: that is no reason to look every second.
    const hindered = Math.max(this.#hindered.next(), look)
    const next = Math.min(this.#failed.next(), hindered, this.#lookAgain ? look : hindered)
    return Number.isFinite(next) ? new Date(next) : undefined
  }

  /** Each key as it is now, asked once a run. */
  async #describe(
    work: readonly OrganizationWork[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string | null, Pick<Target, 'kek' | 'current'>>> {
    const found = new Map<string | null, { kek: KeyManagement; current: KekVersion }>()
    const lines = new Map(work.map((organization) => [organization.line, organization]))
    this.#failed.keep(new Set(lines.keys()))
    for (const [line, organization] of lines) {
      if (this.#failed.isLeftAlone(line)) continue
      await this.#attempt(line, async () => {
        const kek = kekOf(this.#options.deps, organization)
        const { keyId, version } = await kek.describe(signal)
        found.set(line, { kek, current: { provider: kek.provider, keyId, version } })
      })
    }
    return found
  }

  /**
   * @returns whether it is done; else something of the organization's own is in the way
   * @throws KeyManagementError when the key that it is brought under does not serve
   */
  async #serve(
    organization: OrganizationWork,
    { kek, current }: Pick<Target, 'kek' | 'current'>,
    age: DataKeyAge | undefined,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { deps } = this.#options
    const target = { ...organization, kek, current, signal }
    const hindrances: Hindrances = { keks: new Map(), altered: 0 }
    const key = this.#options.keyOf(organization.namespace, organization.name)
    // First: it needs nothing of what may be in the way of the rest.
    if (key) await this.#replaceCompromised(organization, key)
    if (this.progress.staleOf(organization) > 0) await this.#rewrap(target, hindrances)
    const due = key && age && this.#isDue(key, age)
    if (due) await rotateDataKey(deps, organization, signal)
    const resealed =
      !(due || (age?.retired ?? 0) > 0) || (await this.#reseal(organization, hindrances, signal))
    this.#complain(organization, hindrances)
    return resealed && hindrances.keks.size === 0
  }

  async #rewrap(target: Target & OrganizationWork, hindrances: Hindrances): Promise<void> {
    const { deps, wake, logger } = this.#options
    const { signal } = target
    const { batch: limit, parallel } = this.#bounds
    let done = await rewrapDataKeys(deps, target, hindrances)
    this.progress.rewrapped(target, done)
    let after: string | undefined
    do {
      const started = this.#options.clock.monotonic()
      const batch = await rewrapSecrets(deps, target, hindrances, { after, limit, parallel })
      for (const { namespace, name } of batch.rewrapped) {
        if (namespace === null || name === null) continue
        wake(referenceKey('APIKey', namespace, name), 'its secret was wrapped anew', 'low')
      }
      done += batch.rewrapped.length
      this.progress.rewrapped(target, batch.rewrapped.length)
      if (batch.rewrapped.length > 0) this.#tell(target)
      if (batch.failure) throw batch.failure.error
      after = batch.next
      if (after !== undefined) await this.#rest(started, signal)
    } while (after !== undefined && !signal.aborted)
    const { name, current } = target
    this.#tell(target)
    logger.info({ organization: name, ...current, rewrapped: done }, 'data keys were wrapped anew')
  }

  /** @returns whether all is sealed by the active data key; not, when a data key does not open now */
  async #reseal(
    organization: OrganizationWork,
    hindrances: Hindrances,
    signal: AbortSignal,
  ): Promise<boolean> {
    try {
      await this.#resealTables(organization, hindrances, signal)
      return true
    } catch (error) {
      if (!(error instanceof KeyManagementError)) throw error
      const fields = { err: error, organization: organization.name }
      this.#options.logger.warn(
        fields,
        'a data key does not open, and what it sealed stays as it is',
      )
      return false
    }
  }

  async #resealTables(
    organization: OrganizationWork,
    hindrances: Hindrances,
    signal: AbortSignal,
  ): Promise<void> {
    const { deps, tables } = this.#options
    for (const table of tables) {
      let after: string | undefined
      do {
        const started = this.#options.clock.monotonic()
        const page = { after, limit: this.#bounds.batch }
        after = await resealRows(deps, organization, table, hindrances, page)
        if (after !== undefined) await this.#rest(started, signal)
      } while (after !== undefined && !signal.aborted)
    }
    if (!signal.aborted) await dropUnusedDataKeys(deps, organization, tables)
  }

  /** Wakes the keys whose secrets are older than the moment of compromise: their own passes replace them, with overlap. */
  async #replaceCompromised(organization: OrganizationWork, key: EncryptionKey): Promise<void> {
    const { deps, clock, wake } = this.#options
    const { organizationId } = organization
    const before = compromisedBefore(key, new Date(clock.now()))
    if (before === undefined) {
      this.#compromised.delete(organizationId)
      return
    }
    const reader = { organizationId, actor: operatorActor }
    let [count, after] = [0, undefined as string | undefined]
    do {
      const page = keysMadeBefore(before, { after, limit: compromisedPage })
      const found = await inOrganization(deps.pool, reader, async (_tx, keys) => keys, [page])
      for (const { namespace, name } of found) {
        wake(referenceKey('APIKey', namespace, name), 'its secret is compromised', 'low')
      }
      count += found.length
      after = found.length < compromisedPage ? undefined : found.at(-1)?.id
    } while (after !== undefined)
    // Only when there is news: otherwise a key that is suspended would be asked about for ever.
    if (this.#compromised.get(organizationId) === count) return
    this.#compromised.set(organizationId, count)
    this.#tell(organization)
    if (count > 0) this.#lookAgain = true
  }

  #isDue(key: EncryptionKey, { activeSince }: DataKeyAge): boolean {
    const text = isSuspended(key) ? undefined : key.spec.rotation?.every
    const every = text === undefined ? undefined : readDuration(text)
    if (every === undefined || activeSince === null) return false
    return activeSince.getTime() + every <= this.#options.clock.now()
  }

  /** The EncryptionKeys show how far it is. */
  #tell({ namespace, line }: Pick<OrganizationWork, 'namespace' | 'line'>): void {
    const { keys, wake } = this.#options
    for (const key of keys()) {
      const { metadata } = key
      if (metadata.namespace !== namespace || lineOf(keyReferenceOf(key)) !== line) continue
      wake(referenceKey(key.kind, namespace, metadata.name), 'a rotation goes on', 'low')
    }
  }

  async #rest(started: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    await sleep(clock, (clock.monotonic() - started) * this.#bounds.rest, signal)
  }

  /** What the key of a namespace that may not use it wraps would not open. */
  #mayUseIts({ namespace, encryptionKey, name }: OrganizationWork): boolean {
    const { deps, logger } = this.#options
    const reference = encryptionKey as KeyReference | null
    if (reference === null || deps.keyring.allows(namespace, reference)) return true
    logger.debug({ organization: name }, 'its namespace may not use its key: it is left as it is')
    return false
  }

  /** What fails at a key manager leaves its key alone for a while, and the others go on. */
  async #attempt(line: string | null, work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (!(error instanceof KeyManagementError)) throw error
      const fields = { err: error, key: line ?? 'default', again: this.#failed.failed(line) }
      const message = 'the key manager does not serve a rotation; it is tried again'
      this.#options.logger.warn(fields, message)
    }
  }

  #complain({ name }: OrganizationWork, { keks, altered }: Hindrances): void {
    const { logger } = this.#options
    for (const { kek, error } of keks.values()) {
      logger.warn(
        { organization: name, ...kek, err: error },
        'a former key does not open what it wrapped, which stays as it is: enable that key until nothing is stale',
      )
    }
    if (altered > 0) {
      logger.warn(
        { organization: name, altered },
        'rows that were altered by hand were left as they are',
      )
    }
  }
}
