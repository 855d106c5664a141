/** A request that cannot be understood; it is answered with 400 and with what is wrong with it. */
export class InvalidRequestError extends Error {
  override readonly name = 'InvalidRequestError'
  readonly statusCode = 400
  /** For people, and without anything of the request but the names of fields. */
  readonly details: readonly string[]

  constructor(...details: readonly string[]) {
    super(details.join(' '))
    this.details = details
  }
}

export const formMediaType = 'application/x-www-form-urlencoded'

/**
 * Reads a form.
 * @throws InvalidRequestError when a parameter is there twice (RFC 6749, section 3.2)
 */
export function readForm(body: string): Readonly<Record<string, string>> {
  const form = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(body)) {
    if (form.has(name)) throw new InvalidRequestError('A parameter is there twice.')
    form.set(name, value)
  }
  return Object.fromEntries(form)
}
