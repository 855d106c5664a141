import { labelPattern } from './label.ts'

/** The one spelling of an organization's name that somebody typed; undefined for what can be none. */
export function canonicalOrganizationName(text: string): string | undefined {
  const canonical = text.trim().toLowerCase()
  return labelPattern.test(canonical) ? canonical : undefined
}
