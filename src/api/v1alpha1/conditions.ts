/**
 * The conditions of every kind and every reason that they may carry. `docs/api` is generated from these tables, and a
 * test holds them to what the operator says.
 */
export const conditionTypes = ['Ready', 'Reconciling', 'Stalled', 'DeletionBlocked'] as const
export type ConditionType = (typeof conditionTypes)[number]

interface ConditionFacts {
  /** Which status is the good one: True for Ready, False or absent for the others. */
  readonly polarity: 'True is good' | 'False is good'
  readonly means: string
}

export const conditions: Readonly<Record<ConditionType, ConditionFacts>> = {
  Ready: {
    polarity: 'True is good',
    means: 'What the spec says is in force. Always present.',
  },
  Reconciling: {
    polarity: 'False is good',
    means:
      'The operator is at work, waits for something, or will try again by itself. Absent when it is done. Never together with Stalled.',
  },
  Stalled: {
    polarity: 'False is good',
    means:
      'The operator cannot go on until somebody changes this resource or what the message names. Absent otherwise.',
  },
  DeletionBlocked: {
    polarity: 'False is good',
    means:
      'The resource is being deleted and something still depends on it; the message names what. Absent otherwise.',
  },
}

/** Who must act before the resource can be Ready. */
type Actor = 'nobody' | 'author' | 'administrator'

/** Where a reason leaves the resource: `ready`; `wait` and `retry` are Reconciling; `stalled`; `deleting`. */
export type Outcome = 'ready' | 'wait' | 'retry' | 'stalled' | 'deleting'

export interface ReasonFacts {
  readonly outcome: Outcome
  readonly actor: Actor
  readonly means: string
}

export const reasons = {
  Succeeded: {
    outcome: 'ready',
    actor: 'nobody',
    means: 'The record, and the Secret where there is one, agree with the spec.',
  },
  ProgressingWithRetry: {
    outcome: 'retry',
    actor: 'nobody',
    means: 'The reason of Reconciling while a failed attempt is tried again.',
  },
  ReconcileError: {
    outcome: 'retry',
    actor: 'nobody',
    means:
      'The last attempt failed. It is tried again, ever more slowly; what is in force stays in force. The message says what failed, and the log of the operator has the details.',
  },
  OrganizationNotFound: {
    outcome: 'wait',
    actor: 'author',
    means:
      'organizationRef names an Organization that is not in this namespace. Create it, or correct the name.',
  },
  OrganizationNotReady: {
    outcome: 'wait',
    actor: 'nobody',
    means: 'The Organization is not Ready yet. Its own conditions say why.',
  },
  ProjectNotFound: {
    outcome: 'wait',
    actor: 'author',
    means:
      'projectRef names a Project that is not in this namespace or belongs to another Organization. Create it, or correct the name.',
  },
  ProjectNotReady: {
    outcome: 'wait',
    actor: 'nobody',
    means: 'The Project is not Ready yet. Its own conditions say why.',
  },
  RoleNotFound: {
    outcome: 'wait',
    actor: 'author',
    means:
      'role is neither a built-in role nor the name of an RBACRole of this Organization. Create the RBACRole, or correct the name.',
  },
  SubjectNotFound: {
    outcome: 'wait',
    actor: 'author',
    means:
      'A subject of kind APIKey names an APIKey that this Organization does not have. Create it, or correct the name.',
  },
  ScopeNotFound: {
    outcome: 'wait',
    actor: 'author',
    means:
      'scopes holds a scope that is not in the catalogue of the Organization. Add it to spec.scopes of the Organization, or take it out here.',
  },
  Conflict: {
    outcome: 'stalled',
    actor: 'author',
    means:
      'The record belongs to another resource, or was made through the API; the message names the owner. Choose another name, delete the other, or set adoptionPolicy to IfUnowned where no resource owns it.',
  },
  AdoptionNotAllowed: {
    outcome: 'stalled',
    actor: 'administrator',
    means:
      'adoptionPolicy is IfUnowned, but the operator does not allow this namespace to adopt an Organization. The administrator lists it in operator.adoptOrganizations of the chart (CARDEA_ADOPT_ORGANIZATIONS).',
  },
  SecretConflict: {
    outcome: 'stalled',
    actor: 'author',
    means:
      "A Secret of the name in secretRef exists and is not this resource's. Delete it, or choose another name.",
  },
  SecretNotFound: {
    outcome: 'stalled',
    actor: 'author',
    means:
      'The current key is neither in the database nor in its Secret and works no more; no other is minted in its place unasked. Put the Secret back from a backup, or ask for a rotation by the annotation cardea.dev/rotate-requested-at.',
  },
  SecretKeyNotFound: {
    outcome: 'wait',
    actor: 'author',
    means:
      'The Secret that valueFrom names has no such entry. Add it, or correct the key. Until then the last value that was good goes on working, if there was one.',
  },
  InvalidValue: {
    outcome: 'stalled',
    actor: 'author',
    means:
      'The value is empty, longer than 65536 bytes, or not text: the message says which. Put another into the Secret. Until then the last value that was good goes on working, if there was one.',
  },
  ValueLost: {
    outcome: 'stalled',
    actor: 'author',
    means:
      'valueFrom leads to no value, and the one that was kept does not open any more: it, or its data key, was altered or lost. Workloads get none. Put the Secret back.',
  },
  DuplicateProvider: {
    outcome: 'stalled',
    actor: 'author',
    means:
      'Another ProviderCredential of the same Organization or Project is for the same provider; the message names it. Delete one of the two.',
  },
  PlainSecretNotAllowed: {
    outcome: 'stalled',
    actor: 'administrator',
    means:
      'secretRef.format is Plain, and the operator does not allow plain Secrets. Use Envelope, or have the administrator set operator.allowPlainSecrets of the chart (CARDEA_ALLOW_PLAIN_SECRETS).',
  },
  QuotaExceeded: {
    outcome: 'stalled',
    actor: 'author',
    means:
      'The quota of the Organization or the Project is used up. Raise it, or delete what is no longer used.',
  },
  LifetimeTooLong: {
    outcome: 'stalled',
    actor: 'author',
    means:
      'The key would live longer than apiKeys.maxLifetime of the Organization allows. Set an earlier expiresAt, or raise the limit.',
  },
  DuplicateDigest: {
    outcome: 'stalled',
    actor: 'author',
    means:
      'Another key has the same digest. One key has one owner: take it out of the other resource, or mint a new one.',
  },
  Expired: {
    outcome: 'stalled',
    actor: 'author',
    means:
      'expiresAt has passed, so the key is refused. Set a later expiresAt, or delete the resource.',
  },
  RevocationAhead: {
    outcome: 'stalled',
    actor: 'author',
    means:
      'sessions.revokedBefore is more than a minute ahead. Put in force, it would sign everybody out as fast as they sign in, until then; so nothing of the spec was put in force. Set it to a moment that has passed, such as now.',
  },
  KeyManagementUnavailable: {
    outcome: 'retry',
    actor: 'administrator',
    means:
      'The key management service did not answer, or was asked too often. The operator tries again; keys that are in force stay in force.',
  },
  KeyNotAllowed: {
    outcome: 'stalled',
    actor: 'administrator',
    means:
      'The installation does not let this namespace use the key. The administrator lists it in kms.allowedKeys of the chart (CARDEA_KMS_KEYS), under the name that the message gives.',
  },
  KeyDisabled: {
    outcome: 'stalled',
    actor: 'administrator',
    means:
      'The key is disabled at its provider. Its administrator enables it; it is tried again now and then.',
  },
  KeyPendingDeletion: {
    outcome: 'stalled',
    actor: 'administrator',
    means:
      'The key is going to be destroyed by its provider, and with it all that only it can open. Its administrator cancels the deletion, or the organizations move to another key at once.',
  },
  PermissionDenied: {
    outcome: 'stalled',
    actor: 'administrator',
    means:
      'The provider does not let Cardea use the key. The administrator gives the operator the right to describe it, to wrap and to unwrap, and the auth service the right to describe it and to unwrap.',
  },
  KeyNotFound: {
    outcome: 'stalled',
    actor: 'author',
    means:
      'The provider has no key of this name, or the installation is not set up for the provider. Correct the name, have the key made, or have it allowed in kms.allowedKeys of the chart (CARDEA_KMS_KEYS).',
  },
  KeyUnsuitable: {
    outcome: 'stalled',
    actor: 'author',
    means:
      "The key is there but cannot wrap and unwrap data keys: it is of another type or made for another use, or what it wrapped was altered. Choose a key of the sort that the provider's guide names; put what was altered back from a backup.",
  },
  EncryptionKeyNotFound: {
    outcome: 'wait',
    actor: 'author',
    means:
      'encryptionKeyRef names an EncryptionKey that is not in this namespace. Create it, or correct the name.',
  },
  EncryptionKeyNotReady: {
    outcome: 'wait',
    actor: 'nobody',
    means:
      'The EncryptionKey is not Ready yet. Its own conditions say why. What is in force stays in force with the key that it has.',
  },
  DeletionBlocked: {
    outcome: 'deleting',
    actor: 'author',
    means:
      'The reason of Ready while the condition DeletionBlocked is True; the message names what to delete first.',
  },
  HasChildren: {
    outcome: 'deleting',
    actor: 'author',
    means:
      'Other resources still belong to this one; the message names them. Delete them first, and the deletion goes on by itself.',
  },
} as const satisfies Readonly<Record<string, ReasonFacts>>

export type Reason = keyof typeof reasons

/** What may keep a resource from having something wrapped by the key of its Organization, or opened. */
export const keyReasons = [
  'KeyManagementUnavailable',
  'KeyNotAllowed',
  'KeyDisabled',
  'KeyPendingDeletion',
  'PermissionDenied',
  'KeyNotFound',
  'KeyUnsuitable',
] as const satisfies readonly Reason[]
