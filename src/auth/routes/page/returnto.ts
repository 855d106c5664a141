/** Where somebody wants to go once they are signed in. */
export type Destination =
  /** Of our own pages, with a slash before it. */
  | { readonly kind: 'path'; readonly path: string }
  /** Elsewhere: only where the organization lists its origin. */
  | { readonly kind: 'elsewhere'; readonly url: URL }

const longest = 2048

/**
 * Reads a return_to. Browsers take a backslash for a slash and drop tabs and line ends, so that what looks like a path may lead
 * to another host: such a text is none.
 * @param publicUrl our own origin
 */
export function readDestination(
  text: string | undefined,
  publicUrl: string,
): Destination | undefined {
  if (text === undefined || text.length > longest || !/^[!-[\]-~]+$/.test(text)) return undefined
  const own = new URL(publicUrl).origin
  const url = text.startsWith('/') ? URL.parse(text, own) : URL.parse(text)
  if (url === null || url.username !== '' || url.password !== '') return undefined
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return undefined
  if (url.origin !== own) return text.startsWith('/') ? undefined : { kind: 'elsewhere', url }
  const path = `${url.pathname}${url.search}${url.hash}`
  // `/.//elsewhere.example` is a path of ours until a browser reads it a second time.
  return path.startsWith('//') ? undefined : { kind: 'path', path }
}

/** Whether an organization sends its people there. @param origins as it lists them */
export function isListed(url: URL, origins: readonly string[]): boolean {
  return origins.includes(url.origin)
}
