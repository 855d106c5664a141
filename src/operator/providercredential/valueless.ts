import type {
  ProviderCredential,
  ProviderCredentialStatus,
} from '../../api/v1alpha1/providercredential.ts'
import { versionInForce } from '../../domain/providercredential.ts'
import { conditionOf } from '../../k8s/object.ts'
import {
  type Outcome,
  type ReconcileContext,
  type ReconcileEvent,
  stalled,
  waiting,
} from '../../k8s/reconciler.ts'
import { unwatched } from '../unwatched.ts'
import type { Seen } from './look.ts'
import type { Source } from './source.ts'
import { providerCredentialStatus } from './status.ts'

/** Whether the version in force opens; `unknown` while the key management service cannot be asked. */
export type Readable = 'yes' | 'no' | 'unknown'

/** The Secret has no value that can be kept: the last good one goes on working, if it can. */
export function valueless(
  object: ProviderCredential,
  { found, versions }: Seen,
  { problem }: Source,
  readable: Readable,
  context: ReconcileContext,
): Outcome<ProviderCredentialStatus> {
  const row = found.row?.deletedAt ? undefined : found.row
  const current = row && versionInForce(versions)
  const { message: what, ...source } = problem as NonNullable<typeof problem>
  const isLost = current !== undefined && readable === 'no'
  const reason = isLost ? 'ValueLost' : source.reason
  const meanwhile = {
    yes: `Version ${current?.version}, the last good one, goes on working.`,
    no: `Version ${current?.version}, the last good one, does not open any more: it, or its data key, was altered or lost. Workloads get none until the Secret is put back.`,
    unknown: `Version ${current?.version}, the last good one, is kept; whether it opens cannot be told while the key management service does not answer.`,
  }
  const message = `${what} ${current ? meanwhile[readable] : 'Workloads get none until then.'}`
  // Once: the condition says so for as long as it lasts.
  const news = conditionOf(object, 'Ready')?.reason !== reason
  const event: ReconcileEvent = { type: 'Warning', reason, action: 'Read', note: message }
  const more = {
    ...(row && { status: providerCredentialStatus(row, versions) }),
    ...(news && { events: [event] }),
    ...unwatched(context),
  }
  return isLost || reason === 'InvalidValue'
    ? stalled(reason, message, more)
    : waiting(reason, message, more)
}
