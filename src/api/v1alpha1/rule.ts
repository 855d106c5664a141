import { z } from 'zod'

/**
 * One thing that a value must satisfy, told twice: `cel` for the API server and `holds` for the program. They are
 * declared in one place because a zod refinement leaves no trace in a JSON schema: a rule that only the program knew
 * would be admitted at apply and fail in production.
 */
export interface Rule<T> {
  /** CEL over `self`. */
  readonly cel: string
  /** Names the field and the remedy. */
  readonly message: string
  /** The property of this object that the rule is about; the error is reported there. */
  readonly field?: string
  readonly holds: (value: T) => boolean
}

/** A rule on a change, over `self` and `oldSelf`. The program never sees the old value, so only the API server has it. */
export type Transition = Pick<Rule<never>, 'cel' | 'message' | 'field'>

/** A rule as a CustomResourceDefinition spells it. */
export interface CelRule {
  readonly rule: string
  readonly message: string
  readonly fieldPath?: string
}

/** What says the same as a refinement on the API server's side: a CEL rule, or an OpenAPI keyword. */
export type Mirror = { readonly cel: string } | { readonly keyword: string }

/** Adds rules to a schema. Call it before `.optional()`. */
export function withRules<S extends z.ZodType>(schema: S, ...rules: Rule<z.output<S>>[]): S {
  let ruled: S = schema
  for (const rule of rules) ruled = refine(ruled, rule, { cel: rule.cel })
  return withCel(ruled, rules.map(celRule))
}

/** Adds rules on how a value may change. */
export function withTransitions<S extends z.ZodType>(schema: S, ...rules: Transition[]): S {
  return withCel(schema, rules.map(celRule))
}

/** Adds a check whose other half is a keyword of the generated schema, such as `maxLength`. */
export function withKeyword<S extends z.ZodType>(
  schema: S,
  check: {
    readonly keyword: string
    readonly message: string
    readonly holds: (value: z.output<S>) => boolean
  },
  keywords: Readonly<Record<string, unknown>>,
): S {
  const refined = refine(schema, check, { keyword: check.keyword })
  return refined.meta({ ...refined.meta(), ...keywords })
}

/** The rules of a schema, as the API server gets them. */
export function celRules(schema: z.core.$ZodType): readonly CelRule[] {
  const rules = z.globalRegistry.get(schema)?.['x-kubernetes-validations']
  return Array.isArray(rules) ? rules : []
}

/** Writes a string as a CEL literal. */
export function celString(text: string): string {
  return JSON.stringify(text)
}

function celRule(rule: Omit<Rule<never>, 'holds'>): CelRule {
  return {
    rule: rule.cel,
    message: rule.message,
    ...(rule.field !== undefined && { fieldPath: `.${rule.field}` }),
  }
}

function withCel<S extends z.ZodType>(schema: S, rules: readonly CelRule[]): S {
  return schema.meta({
    ...schema.meta(),
    'x-kubernetes-validations': [...celRules(schema), ...rules],
  })
}

function refine<S extends z.ZodType>(
  schema: S,
  check: {
    readonly message: string
    readonly field?: string
    readonly holds: (value: z.output<S>) => boolean
  },
  mirror: Mirror,
): S {
  const refined: z.ZodType = schema.refine(check.holds, {
    message: check.message,
    params: { mirror },
    ...(check.field !== undefined && { path: [check.field] }),
  })
  return refined as S
}
