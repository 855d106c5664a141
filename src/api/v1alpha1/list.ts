import { z } from 'zod'
import { withKeyword } from './rule.ts'

interface Size {
  readonly max: number
  readonly min?: number
}

/** A list of strings without duplicates; server-side apply merges it by value. */
export function setOf<S extends z.ZodType<string>>(item: S, size: Size) {
  return withKeyword(
    sized(item, size),
    {
      keyword: 'x-kubernetes-list-type',
      message: 'must not hold a value twice',
      holds: (values) => new Set(values).size === values.length,
    },
    { 'x-kubernetes-list-type': 'set' },
  )
}

/** A list of objects that some of their fields identify; server-side apply merges it by them. */
export function mapOf<S extends z.ZodType<object>>(
  item: S,
  keys: readonly (keyof z.output<S> & string)[],
  size: Size,
) {
  return withKeyword(
    sized(item, size),
    {
      keyword: 'x-kubernetes-list-type',
      message: `must not hold two entries with the same ${keys.join(' and ')}`,
      holds: (values) =>
        new Set(values.map((value) => JSON.stringify(keys.map((key) => value[key])))).size ===
        values.length,
    },
    { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': [...keys] },
  )
}

function sized<S extends z.ZodType>(item: S, size: Size) {
  return z
    .array(item)
    .min(size.min ?? 0)
    .max(size.max)
}
