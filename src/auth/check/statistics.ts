import { type ProblemCode, statusOf } from '../problem.ts'

export const outcomes = [
  'allowed',
  'unauthenticated',
  'forbidden',
  'rate_limited',
  'unavailable',
  'refused',
] as const
type Outcome = (typeof outcomes)[number]
type Code = ProblemCode | 'allowed'

/** One of this many checks is timed. */
const sampling = 16

export interface CheckCount {
  readonly method: string
  readonly code: Code
  readonly status: number
  readonly outcome: Outcome
  readonly count: number
}

/** Counts checks in plain numbers: a metrics library's counter with labels costs as much as the decision. */
export class CheckStatistics {
  readonly #counts = new Map<string, Map<Code, number>>()
  #begun = 0
  /** Told how long a sampled check took, in seconds. */
  onSample: (seconds: number) => void = () => {}

  /** Whether this check is to be timed; its start, if so. */
  begin(): number | undefined {
    return this.#begun++ % sampling === 0 ? performance.now() : undefined
  }

  end(started: number | undefined, method = '', code: Code): void {
    let codes = this.#counts.get(method)
    if (codes === undefined) {
      codes = new Map()
      this.#counts.set(method, codes)
    }
    codes.set(code, (codes.get(code) ?? 0) + 1)
    if (started !== undefined) this.onSample((performance.now() - started) / 1000)
  }

  /** All counts so far. Node's parser knows some forty methods, so there is an end to them. */
  counts(): readonly CheckCount[] {
    return [...this.#counts].flatMap(([method, codes]) =>
      [...codes].map(([code, count]) => ({
        method,
        code,
        count,
        status: code === 'allowed' ? 200 : statusOf(code),
        outcome: outcomeOf(code),
      })),
    )
  }
}

function outcomeOf(code: Code): Outcome {
  if (code === 'allowed') return 'allowed'
  switch (statusOf(code)) {
    case 401:
      return 'unauthenticated'
    case 403:
      return 'forbidden'
    case 429:
      return 'rate_limited'
    case 500:
    case 503:
      return 'unavailable'
    default:
      return 'refused'
  }
}
