/** A secret of an API key as far as its succession is concerned. */
export interface KeySecret {
  readonly id: string
  readonly createdAt: Date
  /** The end of its overlap; null for the current one. */
  readonly expiresAt: Date | null
}

/** Milliseconds. */
export interface RotationRule {
  readonly every: number
  readonly overlap: number
}

/** For so long the successor of a compromised secret lets it go on where there is no rule; milliseconds. */
const compromisedOverlap = 86_400_000

export interface SuccessionPlan {
  /** The id of the current secret, when there is one and it stays. */
  readonly current: string | undefined
  /** Whether a new secret is due. */
  readonly mint: boolean
  /** Secrets that go on until then. */
  readonly retire: readonly { readonly id: string; readonly expiresAt: Date }[]
  /** Secrets whose time is over. */
  readonly drop: readonly string[]
}

/**
 * Which secret is current, which one retires and which are over.
 * @param input.secrets live ones, the oldest first
 * @param input.requested whether a rotation was asked for and not answered yet
 * @param input.rotation left out: only a request rotates, and the former secret ends at once
 * @param input.compromisedBefore a moment that has come; a current secret that is older is replaced, with the rule's overlap or a
 *   day's: whoever uses it must be able to pick up the new one
 */
export function planSuccession(input: {
  readonly secrets: readonly KeySecret[]
  readonly now: Date
  readonly rotation: RotationRule | undefined
  readonly requested: boolean
  readonly compromisedBefore?: Date | undefined
}): SuccessionPlan {
  const { secrets, now, rotation, requested, compromisedBefore } = input
  const living = secrets.filter((secret) => secret.expiresAt === null || secret.expiresAt > now)
  const newest = living.findLast((secret) => secret.expiresAt === null)
  const due =
    newest !== undefined && rotation !== undefined && now >= nextRotationAt(newest, rotation)
  const compromised =
    newest !== undefined && compromisedBefore !== undefined && newest.createdAt < compromisedBefore
  const mint = newest === undefined || due || requested || compromised
  const current = mint ? undefined : newest
  // One former secret goes on and no more: requests to rotate, however many, never make a third one live.
  const former = living.findLast((secret) => secret !== current)
  const overlap = rotation?.overlap ?? (compromised && !requested ? compromisedOverlap : 0)
  const end = new Date(now.getTime() + overlap)
  const retires = former?.expiresAt === null && end > now
  const stay = new Set([current, retires || former?.expiresAt !== null ? former : undefined])
  return {
    current: current?.id,
    mint,
    retire: former && retires ? [{ id: former.id, expiresAt: end }] : [],
    drop: secrets.filter((secret) => !stay.has(secret)).map(({ id }) => id),
  }
}

/** When the secret after this one is due. */
export function nextRotationAt(secret: KeySecret, rotation: RotationRule): Date {
  return new Date(secret.createdAt.getTime() + rotation.every)
}
