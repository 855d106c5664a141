/** A quota of an organization's or a project's settings; undefined when there is none. */
export function quotaOf(
  settings: Record<string, unknown> | undefined,
  name: string,
): number | undefined {
  const quotas = settings?.['quotas']
  const value =
    typeof quotas === 'object' && quotas !== null
      ? (quotas as Record<string, unknown>)[name]
      : undefined
  return typeof value === 'number' ? value : undefined
}
