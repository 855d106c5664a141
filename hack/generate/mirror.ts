import { z } from 'zod'
import { celRules, type Mirror } from '../../src/api/v1alpha1/rule.ts'

/**
 * Proves that every refinement of a schema has its other half. zod drops a refinement from a JSON schema without a
 * word, and then the API server would admit what the program refuses.
 * @throws naming the first refinement without one
 */
export function assertMirrored(schema: z.core.$ZodType, path: string): void {
  for (const check of schema._zod.def.checks ?? []) {
    const facts: { check: string; params?: { mirror?: Mirror } } = check._zod.def
    if (facts.check !== 'custom') continue
    const mirror = facts.params?.mirror
    if (mirror === undefined || !mirrors(schema, mirror)) {
      throw new Error(`${path}: a refinement without its CEL: use withRules() instead of refine()`)
    }
  }
  if (schema instanceof z.ZodOptional) assertMirrored(schema.def.innerType, path)
  if (schema instanceof z.ZodArray) assertMirrored(schema.def.element, `${path}[]`)
  if (schema instanceof z.ZodObject) {
    for (const [name, field] of Object.entries(schema.def.shape)) {
      assertMirrored(field, `${path}.${name}`)
    }
  }
}

function mirrors(schema: z.core.$ZodType, mirror: Mirror): boolean {
  return 'cel' in mirror
    ? celRules(schema).some((rule) => rule.rule === mirror.cel)
    : z.globalRegistry.get(schema)?.[mirror.keyword] !== undefined
}
