const name = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/

/** The one spelling of an organization's name that somebody typed; undefined for what can be none. */
export function canonicalOrganizationName(text: string): string | undefined {
  const canonical = text.trim().toLowerCase()
  return name.test(canonical) ? canonical : undefined
}
