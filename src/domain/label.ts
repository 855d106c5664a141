/** A DNS label in lower case (RFC 1123, section 2.1): what organizations, projects and roles are called. */
export const labelPattern = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/
