import type { KindDefinition } from '../../../src/api/v1alpha1/resource.ts'

/** Specs of one kind that the API server must admit, and those that it must refuse. */
export interface KindSpecs {
  readonly kind: KindDefinition
  /** The least that is admitted; every row below is this one, changed. */
  readonly valid: object
  readonly accepted: readonly AcceptedSpec[]
  readonly refused: readonly RefusedSpec[]
  readonly refusedChanges: readonly RefusedChange[]
}

interface AcceptedSpec {
  /** Completes the sentence "is admitted:". */
  readonly name: string
  readonly metadataName?: string
  readonly change: object
}

interface RefusedSpec extends AcceptedSpec {
  /** The field that the error names. */
  readonly field: string
  /** The remedy that its message holds. */
  readonly says: string
}

interface RefusedChange {
  readonly name: string
  readonly from: object
  readonly to: object
  readonly field: string
  readonly says: string
}

/** `count` different strings. */
export function many(count: number, make: (index: number) => string): readonly string[] {
  return Array.from({ length: count }, (_, index) => make(index))
}

/** A string of exactly `length` characters. */
export function filled(length: number, start = '', end = ''): string {
  return start + 'a'.repeat(length - start.length - end.length) + end
}
