import type { KubeClient } from './client.ts'
import type { Clock } from './clock.ts'
import {
  ApiError,
  ConflictError,
  isConflict,
  isNotFound,
  LeaseLostError,
  publicMessageOf,
} from './errors.ts'
import { transitionEvent } from './event.ts'
import {
  apiVersionOf,
  type CommonStatus,
  type CustomResource,
  isSuspended,
  type KubeObject,
  objectKey,
} from './object.ts'
import { finalizerOf, type Orphaned } from './orphans.ts'
import { isOver, PassTimeoutError, patiently } from './patience.ts'
import type { Logger, Outcome, ReconcileContext, ReconcileEvent, Reconciler } from './reconciler.ts'
import { computeStatus, statusEquals, type Verdict } from './status.ts'
import type { ObjectStore } from './store.ts'

/** What a pass needs; one for each controller. */
export interface PassOptions<T extends CustomResource> {
  readonly reconciler: Reconciler<T>
  readonly client: Pick<KubeClient, 'get' | 'apply' | 'patch'>
  readonly store: Pick<ObjectStore<T>, 'get' | 'observe'>
  readonly fieldManager: string
  readonly clock: Clock
  readonly logger: Logger
  readonly record: (object: KubeObject, event: ReconcileEvent) => void
  readonly get: (reference: string) => KubeObject | undefined
  readonly referrers: (object: T) => readonly string[]
  /** Told when an object's finalize is done, before its finalizer is removed. */
  readonly finalized?: (object: T) => void
}

/** How a pass ended, for who decides when the next is. */
export type PassEnd =
  /** There is nothing to do until something changes: suspended, or gone. */
  | { readonly end: 'idle' }
  | { readonly end: 'settled'; readonly ready: boolean; readonly requeueAt: Date | undefined }
  /** Retried with back-off. `quiet`: somebody was faster, or we do not lead; nobody is told. */
  | { readonly end: 'failed'; readonly error: unknown; readonly quiet: boolean }

/** Edits may overtake a status so often before the pass is given up and begun anew. */
const STATUS_ATTEMPTS = 5

/**
 * One pass over one object: finalizer, reconciler, status, events. It is correct however old the
 * object is: each write is refused by the API server when the object is another one by now.
 */
export class Pass<T extends CustomResource> {
  readonly #options: PassOptions<T>
  readonly #finalizer: string

  constructor(options: PassOptions<T>) {
    this.#options = options
    this.#finalizer = finalizerOf(options.reconciler.resource)
  }

  /** Runs to the end, and never throws; ends only when the reconciler has let go of the object. */
  async run(object: T, signal: AbortSignal): Promise<PassEnd> {
    const held: Promise<unknown>[] = []
    try {
      if (object.metadata.deletionTimestamp !== undefined) {
        return await this.#finalize(object, signal, held)
      }
      if (isSuspended(object)) return { end: 'idle' }
      return await this.#reconcile(await this.#addFinalizer(object, signal), signal, held)
    } catch (error) {
      if (isNotFound(error)) return { end: 'idle' }
      const quiet = isConflict(error) || isOver(signal) || error instanceof LeaseLostError
      return { end: 'failed', error, quiet }
    } finally {
      await Promise.allSettled(held)
    }
  }

  /**
   * Finalizes an object that is there no more. Nothing is written to the API server; while it is not
   * done it is `settled` or `failed`, and afterwards `idle`.
   */
  async bury({ object, unconfirmed }: Orphaned<T>, signal: AbortSignal): Promise<PassEnd> {
    const { client, reconciler, logger } = this.#options
    const { namespace, name } = object.metadata
    const held: Promise<unknown>[] = []
    try {
      const { resource } = reconciler
      const there = unconfirmed && (await client.get(resource, namespace, name, { signal }))
      if (there) return { end: 'idle' }
      const context = this.#context(object, signal)
      const call = (o: T): Promise<Outcome> => reconciler.finalize(o, context)
      const { verdict, error } = await this.#judge(object, signal, held, call)
      if (verdict.outcome === 'fault') return { end: 'failed', error, quiet: false }
      this.#recordAll(object, verdict.events)
      const fields = { kind: resource.kind, namespace, name, message: verdict.message }
      logger.info(fields, 'What a deleted object left behind was looked for.')
      if (verdict.outcome === 'done') return { end: 'idle' }
      return { end: 'settled', ready: false, requeueAt: verdict.requeueAt }
    } catch (error) {
      const quiet = isConflict(error) || isOver(signal) || error instanceof LeaseLostError
      return { end: 'failed', error, quiet }
    } finally {
      await Promise.allSettled(held)
    }
  }

  async #reconcile(object: T, signal: AbortSignal, held: Promise<unknown>[]): Promise<PassEnd> {
    const context = this.#context(object, signal)
    const judged = await this.#judge(object, signal, held, (o) =>
      this.#options.reconciler.reconcile(o, context),
    )
    return this.#report(object, judged, signal)
  }

  async #finalize(object: T, signal: AbortSignal, held: Promise<unknown>[]): Promise<PassEnd> {
    const { finalizers = [] } = object.metadata
    if (!finalizers.includes(this.#finalizer)) return { end: 'idle' }
    const context = this.#context(object, signal)
    const judged = await this.#judge(object, signal, held, (o) =>
      this.#options.reconciler.finalize(o, context),
    )
    if (judged.verdict.outcome !== 'done') return this.#report(object, judged, signal)
    this.#recordAll(object, judged.verdict.events)
    // First: its deletion may be heard of before the answer to the patch.
    this.#options.finalized?.(object)
    const rest = finalizers.filter((name) => name !== this.#finalizer)
    await this.#setFinalizers(object, rest, signal)
    return { end: 'idle' }
  }

  /** Calls the reconciler; what it throws becomes a verdict, unless nobody is to hear of it. */
  async #judge(
    object: T,
    signal: AbortSignal,
    held: Promise<unknown>[],
    call: (object: T) => Promise<Outcome>,
  ): Promise<Judged> {
    try {
      const work = call(object)
      held.push(work)
      return { verdict: await patiently(work, signal, this.#options.clock) }
    } catch (error) {
      if (isConflict(error) || isOver(signal) || error instanceof LeaseLostError) throw error
      return { verdict: { outcome: 'fault', message: publicMessageOf(error) }, error }
    }
  }

  async #report(object: T, judged: Judged, signal: AbortSignal): Promise<PassEnd> {
    const { verdict, error } = judged
    try {
      await this.#writeStatus(object, verdict, signal)
    } catch (refusal) {
      // A status that the schema refuses is the reconciler's fault, and must not stay unsaid.
      if (verdict.outcome === 'fault' || !isInvalid(refusal)) throw refusal
      const message = publicMessageOf(refusal)
      return this.#report(
        object,
        { verdict: { outcome: 'fault', message }, error: refusal },
        signal,
      )
    }
    if (verdict.outcome === 'fault') return { end: 'failed', error, quiet: false }
    this.#recordAll(object, verdict.events)
    const ready = verdict.outcome === 'done'
    return { end: 'settled', ready, requeueAt: verdict.requeueAt }
  }

  async #writeStatus(object: T, verdict: Verdict, passSignal: AbortSignal): Promise<void> {
    const { reconciler, store, clock } = this.#options
    const { group } = reconciler.resource
    const status = computeStatus({
      previous: object.status,
      verdict,
      generation: object.metadata.generation ?? 0,
      requestedAt: object.metadata.annotations?.[`${group}/reconcile-requested-at`],
      now: new Date(clock.now()),
    })
    if (statusEquals(status, object.status)) return
    // A time-out of the pass must not keep it from being said.
    const signal = passSignal.reason instanceof PassTimeoutError ? undefined : passSignal
    const applied = await this.#applyStatus(object, status, signal)
    const whole = statusEquals(status, applied.status)
    store.observe(whole ? applied : await this.#overwriteStatus(applied, status, signal))
    const event = transitionEvent(object.status, verdict)
    if (event) this.#options.record(object, event)
  }

  /**
   * Only the resource version keeps a status from an object that was deleted and made again under
   * the name meanwhile; when it was merely edited, the status is still true of what it observed.
   */
  async #applyStatus(object: T, status: CommonStatus, signal: AbortSignal | undefined): Promise<T> {
    const { reconciler, client, store, fieldManager } = this.#options
    const { resource } = reconciler
    const { name, namespace, uid } = object.metadata
    const options = {
      fieldManager: `${fieldManager}-status`,
      subresource: 'status',
      signal,
    } as const
    let latest = store.get(objectKey(object))
    for (let attempt = 1; ; attempt += 1) {
      if (latest?.metadata.uid !== uid) throw new ConflictError('it was deleted meanwhile')
      const { resourceVersion } = latest.metadata
      const metadata = { name, namespace, resourceVersion }
      const manifest = { apiVersion: apiVersionOf(resource), kind: resource.kind, metadata, status }
      try {
        return await client.apply<T>(resource, manifest, options)
      } catch (error) {
        if (!isConflict(error) || attempt === STATUS_ATTEMPTS) throw error
        latest = await client.get<T>(resource, namespace, name, { signal })
      }
    }
  }

  /** Applying leaves what somebody else wrote: entries of lists, and fields that the status does not have. */
  async #overwriteStatus(
    object: T,
    status: CommonStatus,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const { reconciler, client, fieldManager } = this.#options
    const { name, namespace, resourceVersion } = object.metadata
    const foreign = Object.keys(object.status ?? {}).map((field) => [field, null])
    const patch = {
      metadata: { resourceVersion },
      status: { ...Object.fromEntries(foreign), ...status },
    }
    const options = {
      fieldManager: `${fieldManager}-status`,
      subresource: 'status',
      signal,
    } as const
    return client.patch<T>(reconciler.resource, namespace, name, patch, options)
  }

  async #addFinalizer(object: T, signal: AbortSignal): Promise<T> {
    const { finalizers = [] } = object.metadata
    if (finalizers.includes(this.#finalizer)) return object
    return this.#setFinalizers(object, [...finalizers, this.#finalizer], signal)
  }

  /** Guarded by uid and resourceVersion: what was decided on is what is changed. */
  async #setFinalizers(object: T, finalizers: readonly string[], signal: AbortSignal): Promise<T> {
    const { reconciler, client, store, fieldManager } = this.#options
    const { name, namespace, uid, resourceVersion } = object.metadata
    const patch = { metadata: { uid, resourceVersion, finalizers } }
    const options = { fieldManager, signal }
    const patched = await client.patch<T>(reconciler.resource, namespace, name, patch, options)
    store.observe(patched)
    return patched
  }

  #recordAll(object: T, events: readonly ReconcileEvent[] = []): void {
    for (const event of events) this.#options.record(object, event)
  }

  #context(object: T, signal: AbortSignal): ReconcileContext {
    const { clock, logger, get, referrers } = this.#options
    return {
      signal,
      logger,
      get,
      now: () => new Date(clock.now()),
      referrers: () => referrers(object),
    }
  }
}

interface Judged {
  readonly verdict: Verdict
  /** What was thrown, for the log. */
  readonly error?: unknown
}

function isInvalid(error: unknown): boolean {
  return error instanceof RangeError || (error instanceof ApiError && error.status === 422)
}
