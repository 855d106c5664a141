interface Annotated {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> | undefined }
}

/**
 * What an annotation asks for, as a status and PostgreSQL keep it, who know neither half a character nor NUL and are bounded:
 * otherwise it would never read as answered.
 */
export function requestOf({ metadata }: Annotated, annotation: string): string | undefined {
  const value = metadata.annotations?.[annotation]
  return value?.slice(0, 253).toWellFormed().replaceAll('\0', '\uFFFD')
}
