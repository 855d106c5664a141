const pattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Whether it is a UUID as PostgreSQL and we write it: in lower case, with hyphens (RFC 9562, section 4). */
export function isUuid(value: unknown): value is string {
  return typeof value === 'string' && pattern.test(value)
}
