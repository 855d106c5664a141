import type { APIKey } from '../../api/v1alpha1/apikey.ts'
import type { Reason } from '../../api/v1alpha1/conditions.ts'
import { readDuration } from '../../domain/duration.ts'
import { secondsTime } from '../../k8s/status.ts'

/** What the checks below look at: the resource, and what rules it. */
export interface Situation {
  readonly apiKey: APIKey
  readonly organization: { readonly name: string; readonly settings: Record<string, unknown> }
  readonly allowPlainSecrets: boolean
}

/** Why a key may not be in force. `wait`: for somebody to change another resource; else this one must change. */
export interface Objection {
  readonly wait: boolean
  readonly reason: Reason
  readonly message: string
}

/** The checks, in the order in which a person would mend them; the first objection counts. */
const checks: readonly ((situation: Situation) => Objection | undefined)[] = [
  scopesAreInTheCatalogue,
  lifetimeIsShortEnough,
  plainSecretIsAllowed,
]

export function firstObjection(situation: Situation): Objection | undefined {
  for (const check of checks) {
    const objection = check(situation)
    if (objection) return objection
  }
  return undefined
}

function scopesAreInTheCatalogue({ apiKey, organization }: Situation): Objection | undefined {
  const catalogue = organization.settings['scopes'] as readonly { name: string }[] | undefined
  if (!catalogue) return undefined
  const names = catalogue.map((scope) => scope.name)
  const unknown = apiKey.spec.scopes.filter((scope) => !names.includes(scope))
  if (unknown.length === 0) return undefined
  return {
    wait: true,
    reason: 'ScopeNotFound',
    message: `Organization "${organization.name}" does not declare the scope ${unknown.join(', ')} (it declares ${names.slice(0, 20).join(', ') || 'none'}): add it to spec.scopes there, or correct spec.scopes here.`,
  }
}

function lifetimeIsShortEnough({ apiKey, organization }: Situation): Objection | undefined {
  const rules = organization.settings['apiKeys'] as { maxLifetime?: string } | undefined
  const longest = rules?.maxLifetime === undefined ? undefined : readDuration(rules.maxLifetime)
  if (longest === undefined) return undefined
  const { expiresAt } = apiKey.spec
  const created = Date.parse(apiKey.metadata.creationTimestamp)
  if (expiresAt !== undefined && Date.parse(expiresAt) - created <= longest) return undefined
  return {
    wait: false,
    reason: 'LifetimeTooLong',
    message: `Organization "${organization.name}" lets a key live for ${rules?.maxLifetime} at most: set spec.expiresAt to ${secondsTime(new Date(created + longest))} or earlier, or raise spec.apiKeys.maxLifetime there.`,
  }
}

function plainSecretIsAllowed({ apiKey, allowPlainSecrets }: Situation): Objection | undefined {
  if (apiKey.spec.secretRef?.format !== 'Plain' || allowPlainSecrets) return undefined
  return {
    wait: false,
    reason: 'PlainSecretNotAllowed',
    message:
      'spec.secretRef.format is Plain, and the operator does not allow plain Secrets: use Envelope, or have its administrator set CARDEA_ALLOW_PLAIN_SECRETS to true.',
  }
}
