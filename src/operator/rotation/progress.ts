import type { KekVersion, WrappedCount } from '../../db/encryption.ts'
import { lineOf } from '../encryptionkey/reference.ts'
import { isSameKek } from '../encryptionkey/status.ts'

/** An organization, and what is wrapped of it. */
export interface OrganizationWork {
  readonly organizationId: string
  readonly namespace: string
  readonly ownerNamespace: string
  readonly name: string
  readonly encryptionKey: unknown
  /** The chosen key as a line; null: the default one. */
  readonly line: string | null
  readonly wrapped: readonly { readonly kek: KekVersion; readonly count: number }[]
}

/** The counts by organization. */
export function organizationWork(counts: readonly WrappedCount[]): readonly OrganizationWork[] {
  const grouped = Map.groupBy(counts, ({ organizationId }) => organizationId)
  return [...grouped.values()].flatMap(([first, ...more]) => {
    if (!first) return []
    const { organizationId, namespace, name, encryptionKey } = first
    const wrapped = [first, ...more].flatMap(({ kek, wrapped: count }) =>
      kek ? [{ kek, count }] : [],
    )
    const line = lineOf(encryptionKey)
    return [
      { organizationId, namespace, ownerNamespace: namespace, name, encryptionKey, line, wrapped },
    ]
  })
}

type Share = Pick<OrganizationWork, 'organizationId' | 'namespace' | 'line'>

/** How much is stale, as of the last look and of what was done since. */
export class Progress {
  /** Undefined: not counted yet, because the key could not be asked for its version. */
  readonly #stale = new Map<string, Share & { count: number | undefined }>()
  #looked = false

  /** Takes in which organizations there are. */
  keep(work: readonly OrganizationWork[]): void {
    this.#looked = true
    const known = new Map(work.map((organization) => [organization.organizationId, organization]))
    for (const id of this.#stale.keys()) if (!known.has(id)) this.#stale.delete(id)
    for (const [organizationId, { namespace, line }] of known) {
      const former = this.#stale.get(organizationId)
      const count = former?.line === line ? former.count : undefined
      this.#stale.set(organizationId, { organizationId, namespace, line, count })
    }
  }

  /** Counts what another version than the current one wraps. */
  found(organization: OrganizationWork, current: KekVersion): void {
    const { organizationId, namespace, line } = organization
    const count = organization.wrapped
      .filter(({ kek }) => !isSameKek(kek, current))
      .reduce((sum, share) => sum + share.count, 0)
    this.#stale.set(organizationId, { organizationId, namespace, line, count })
  }

  rewrapped({ organizationId }: Share, count: number): void {
    const share = this.#stale.get(organizationId)
    if (share?.count !== undefined) share.count = Math.max(0, share.count - count)
  }

  staleOf({ organizationId }: Share): number {
    return this.#stale.get(organizationId)?.count ?? 0
  }

  /**
   * The stale ones of all organizations that chose a key; undefined while they are not all counted, since 0 means that the
   * former version is needed no more.
   * @param namespace left out: of every namespace
   */
  staleUnder(line: string | null, namespace?: string): number | undefined {
    if (!this.#looked) return undefined
    let sum = 0
    for (const share of this.#stale.values()) {
      const counts = namespace === undefined || share.namespace === namespace
      if (!counts || share.line !== line) continue
      if (share.count === undefined) return undefined
      sum += share.count
    }
    return sum
  }
}
