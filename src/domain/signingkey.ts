/** RFC 8037 and RFC 7518: what tokens are signed with. */
export const signingAlgorithms = ['EdDSA', 'ES256'] as const
export type SigningAlgorithm = (typeof signingAlgorithms)[number]

/** A signing key, as far as its place in the rotation goes. */
export interface SigningKeyTimes {
  readonly id: string
  readonly algorithm: SigningAlgorithm
  readonly createdAt: Date
  /** When it begins to sign; it is published from its creation on. */
  readonly activeAt: Date
}

/** All in milliseconds. */
export interface SigningKeyPolicy {
  /** How long a key signs. */
  readonly every: number
  /** How long it is published before: longer than anybody caches the key set. */
  readonly ahead: number
  /** How long it is published after: as long as the longest token that it signed. */
  readonly overlap: number
  /** Keys that were made before this are compromised: they go at once, and their tokens with them. A moment to come waits. */
  readonly compromisedBefore?: Date | undefined
}

export interface SigningKeyPlan {
  readonly make: readonly { readonly algorithm: SigningAlgorithm; readonly activeAt: Date }[]
  /** Ids. */
  readonly remove: readonly string[]
}

/** What is to become of the signing keys. */
export function planSigningKeys(
  keys: readonly SigningKeyTimes[],
  policy: SigningKeyPolicy,
  now: Date,
): SigningKeyPlan {
  const plans = signingAlgorithms.map((algorithm) => {
    const own = keys.filter((key) => key.algorithm === algorithm)
    return planAlgorithm(algorithm, own, policy, now.getTime())
  })
  return {
    make: plans.flatMap(({ make }) => make),
    remove: plans.flatMap(({ remove }) => remove),
  }
}

function planAlgorithm(
  algorithm: SigningAlgorithm,
  keys: readonly SigningKeyTimes[],
  { every, ahead, overlap, compromisedBefore: moment }: SigningKeyPolicy,
  now: number,
): SigningKeyPlan {
  // A moment to come takes effect when it has come: until then every new key would be older than it.
  const compromisedBefore = moment && moment.getTime() <= now ? moment : undefined
  const [compromised, sound] = [
    keys.filter(({ createdAt }) => compromisedBefore && createdAt < compromisedBefore),
    keys
      .filter(({ createdAt }) => !compromisedBefore || createdAt >= compromisedBefore)
      .toSorted((a, b) => a.activeAt.getTime() - b.activeAt.getTime()),
  ]
  const over = sound.filter((_, at) => {
    const successor = sound[at + 1]
    return successor !== undefined && successor.activeAt.getTime() + overlap <= now
  })
  const remove = [...compromised, ...over].map(({ id }) => id)
  const newest = sound.at(-1)
  // Nobody has cached a key set without it yet, or what is in it must not be trusted any more.
  if (!newest) return { make: [{ algorithm, activeAt: new Date(now) }], remove }
  const due = newest.activeAt.getTime() + every
  if (due - ahead > now) return { make: [], remove }
  return { make: [{ algorithm, activeAt: new Date(Math.max(due, now + ahead)) }], remove }
}

/** The key that signs now; undefined when there is none yet. */
export function activeSigningKey<Key extends SigningKeyTimes>(
  keys: readonly Key[],
  algorithm: SigningAlgorithm,
  now: Date,
): Key | undefined {
  return keys
    .filter((key) => key.algorithm === algorithm && key.activeAt <= now)
    .toSorted((a, b) => a.activeAt.getTime() - b.activeAt.getTime())
    .at(-1)
}
