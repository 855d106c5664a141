import { type AuditEvent, auditing } from '../db/audit.ts'
import { authActor } from '../domain/actor.ts'

/** Something that a person did, or that was done for somebody who is not known yet. */
export interface Deed {
  readonly organizationId: string
  /** A user's id; undefined: nobody is known. */
  readonly userId: string | undefined
  readonly action: string
  readonly target: {
    readonly kind: 'user' | 'session' | 'invitation' | 'organization' | 'access_token' | 'mail'
    readonly id: string
    readonly name: string
  }
  readonly requestId: string | undefined
  /** Never a secret. */
  readonly detail?: Readonly<Record<string, unknown>>
}

/** A statement for the transaction of the deed: both are committed, or neither. */
export function auditingDeed(deed: Deed): string {
  const { organizationId, userId, action, target, requestId, detail } = deed
  const who: Pick<AuditEvent, 'actorKind' | 'actor'> =
    userId === undefined
      ? { actorKind: 'system', actor: authActor }
      : { actorKind: 'user', actor: userId }
  return auditing({
    ...who,
    organizationId,
    action,
    targetKind: target.kind,
    targetId: target.id,
    targetName: target.name,
    ...(requestId !== undefined && { requestId }),
    ...(detail && { detail }),
  })
}
