import type { z } from 'zod'

/** The environment as the process has it. */
export type Environment = Readonly<Record<string, string | undefined>>

export interface ConfigurationProblem {
  readonly variable: string
  readonly problem: string
}

/** Settings that the program cannot start with. The message names each variable and never shows a value. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError'
  readonly problems: readonly ConfigurationProblem[]

  constructor(problems: readonly ConfigurationProblem[]) {
    super(problems.map(({ variable, problem }) => `${variable} ${problem}`).join('; '))
    this.problems = problems
  }
}

type Settings<Variables extends Record<string, z.ZodType>> = {
  readonly [Variable in keyof Variables]: z.output<Variables[Variable]>
}

/**
 * Reads the variables that are declared; an empty one counts as not set, because templates write those.
 * @param variables a schema for each, over the string that the environment holds
 * @throws ConfigurationError with every variable that is missing or wrong, not only the first
 */
export function readEnvironment<const Variables extends Record<string, z.ZodType>>(
  environment: Environment,
  variables: Variables,
): Settings<Variables> {
  const settings: Record<string, unknown> = {}
  const problems: ConfigurationProblem[] = []
  for (const [variable, schema] of Object.entries(variables)) {
    const result = schema.safeParse(environment[variable] || undefined)
    if (result.success) settings[variable] = result.data
    else {
      const missing = !environment[variable]
      const message = result.error.issues[0]?.message ?? 'is wrong'
      problems.push({ variable, problem: missing ? `is not set: it ${message}` : message })
    }
  }
  if (problems.length > 0) throw new ConfigurationError(problems)
  return Object.freeze(settings) as Settings<Variables>
}
